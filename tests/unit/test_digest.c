/** Tests digests against known answers. */
#include "server/modules/checksum/digest.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

static const struct {
    const char *algorithm;
    const char *data;
    const char *hex;
} vectors[] = {
        {"sha256", "abc",
                "ba7816bf8f01cfea414140de5dae2223"
                "b00361a396177a9cb410ff61f20015ad"},
        {"SHA256", "",
                "e3b0c44298fc1c149afbf4c8996fb924"
                "27ae41e4649b934ca495991b7852b855"},
        {"sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"md5", "abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"sha3-256", "abc",
                "3a985da74fe225b2045c172d6bd390bd"
                "855f086e3e9d525b46bfe24511431532"},
};

static struct amdi_digest digest;

START_TEST(digest_is_the_known_one)
{
    struct amdi_digest_value value;
    const char *data = vectors[_i].data;

    ck_assert_int_eq(
            amdi_digest_init(&digest, vectors[_i].algorithm), AMDRPC_OK);
    for (int round = 0; round < 2; round++) { // the second begins anew
        ck_assert_int_eq(amdi_digest_start(&digest), AMDRPC_OK);
        ck_assert_int_eq(
                amdi_digest_update(&digest, data, strlen(data)), AMDRPC_OK);
        ck_assert_int_eq(amdi_digest_finish(&digest, &value), AMDRPC_OK);

        ck_assert_str_eq(value.hex, vectors[_i].hex);
        ck_assert_uint_eq(value.len, strlen(vectors[_i].hex) / 2);
    }
    amdi_digest_fini(&digest);
}
END_TEST

START_TEST(unknown_name_is_refused)
{
    ck_assert_int_eq(amdi_digest_init(&digest, "sha257"), AMDRPC_ENOTFOUND);
    ck_assert_int_eq(amdi_digest_init(&digest, ""), AMDRPC_ENOTFOUND);
}
END_TEST

static Suite *
digest_suite(void)
{
    Suite *suite = suite_create("digest");
    TCase *values = tcase_create("values");

    tcase_add_loop_test(values, digest_is_the_known_one, 0,
            sizeof(vectors) / sizeof(vectors[0]));
    tcase_add_test(values, unknown_name_is_refused);
    suite_add_tcase(suite, values);
    return suite;
}

TEST_MAIN(digest_suite)
