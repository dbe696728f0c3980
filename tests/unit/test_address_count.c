/** Tests how the connections of each address are counted. */
#include <amdrpc/server.h>

#include "common/alloc.h"
#include "server/conn/address_count.h"
#include "tests/support/runner.h"

#include <check.h>

#include <arpa/inet.h>
#include <netinet/in.h>

static struct amdi_address_count count;

static void
count_set_up(void)
{
    amdi_address_count_init(&count);
}

static void
count_tear_down(void)
{
    amdi_alloc_fail_at(-1);
    amdi_address_count_fini(&count);
}

static struct sockaddr_storage
ipv4(const char *text, uint16_t port)
{
    struct sockaddr_storage storage = {.ss_family = AF_INET};
    struct sockaddr_in *in = (struct sockaddr_in *)&storage;

    in->sin_port = htons(port);
    ck_assert_int_eq(inet_pton(AF_INET, text, &in->sin_addr), 1);
    return storage;
}

static struct amdi_address_entry *
add(const char *text, uint16_t port, uint32_t limit)
{
    struct sockaddr_storage address = ipv4(text, port);
    struct amdi_address_entry *entry = NULL;

    return amdi_address_count_add(&count, &address, limit, &entry) ? entry
                                                                   : NULL;
}

START_TEST(address_at_its_limit_is_refused)
{
    ck_assert_ptr_nonnull(add("192.0.2.1", 1, 2));
    ck_assert_ptr_nonnull(add("192.0.2.1", 2, 2));

    ck_assert_ptr_null(add("192.0.2.1", 3, 2));
}
END_TEST

START_TEST(other_addresses_have_their_own_count)
{
    ck_assert_ptr_nonnull(add("192.0.2.1", 1, 1));

    ck_assert_ptr_nonnull(add("192.0.2.2", 1, 1));
}
END_TEST

START_TEST(address_without_a_limit_has_any_number)
{
    for (uint16_t port = 1; port <= 1000; port++) {
        ck_assert_ptr_nonnull(add("192.0.2.1", port, AMDRPC_NO_LIMIT));
    }
}
END_TEST

START_TEST(connection_that_ended_makes_room)
{
    struct amdi_address_entry *entry = add("192.0.2.1", 1, 1);

    ck_assert_ptr_nonnull(entry);
    amdi_address_count_remove(&count, entry);

    ck_assert_ptr_nonnull(add("192.0.2.1", 2, 1));
}
END_TEST

START_TEST(ipv4_address_mapped_to_ipv6_is_the_same)
{
    struct sockaddr_storage storage = {.ss_family = AF_INET6};
    struct amdi_address_entry *entry = NULL;

    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1",
                             &((struct sockaddr_in6 *)&storage)->sin6_addr),
            1);
    ck_assert_ptr_nonnull(add("192.0.2.1", 1, 1));

    ck_assert(!amdi_address_count_add(&count, &storage, 1, &entry));
}
END_TEST

START_TEST(without_memory_is_refused)
{
    amdi_alloc_fail_at(0);

    ck_assert_ptr_null(add("192.0.2.1", 1, 1));
}
END_TEST

static Suite *
address_count_suite(void)
{
    Suite *suite = suite_create("address_count");
    TCase *counts = tcase_create("counts");

    tcase_add_checked_fixture(counts, count_set_up, count_tear_down);
    tcase_add_test(counts, address_at_its_limit_is_refused);
    tcase_add_test(counts, other_addresses_have_their_own_count);
    tcase_add_test(counts, address_without_a_limit_has_any_number);
    tcase_add_test(counts, connection_that_ended_makes_room);
    tcase_add_test(counts, ipv4_address_mapped_to_ipv6_is_the_same);
    tcase_add_test(counts, without_memory_is_refused);
    suite_add_tcase(suite, counts);
    return suite;
}

TEST_MAIN(address_count_suite)
