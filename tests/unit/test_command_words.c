/** Tests how a line of the settings becomes words. */
#include "server/modules/command/command_words.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct amdi_arena arena;
static struct amdi_command_words words;
static struct amdi_error error;

static void
set_up(void)
{
    amdi_arena_init(&arena, 0);
    words = (struct amdi_command_words){0};
    error.text[0] = '\0';
}

static void
tear_down(void)
{
    amdi_arena_fini(&arena);
}

/* The words as one text: "[literal<parameter=fallback>]". */
static const char *
show(void)
{
    static char text[4096];
    size_t len = 0;

    for (struct amdi_command_word *word = words.first; word != NULL;
            word = word->next) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "[");
        for (struct amdi_command_piece *piece = word->pieces; piece != NULL;
                piece = piece->next) {
            len += (size_t)snprintf(text + len, sizeof(text) - len,
                    piece->text != NULL               ? "%s"
                            : piece->fallback == NULL ? "<%s>"
                                                      : "<%s=",
                    piece->text != NULL ? piece->text : piece->parameter);
            if (piece->fallback != NULL) {
                len += (size_t)snprintf(
                        text + len, sizeof(text) - len, "%s>", piece->fallback);
            }
        }
        len += (size_t)snprintf(text + len, sizeof(text) - len, "]");
    }
    text[len] = '\0';
    return text;
}

static const struct {
    const char *line;
    const char *shown;
} good[] = {
        {"", ""},
        {"  \t ", ""},
        {"a", "[a]"},
        {" a\tb  c ", "[a][b][c]"},
        {"'a b' \"c d\"", "[a b][c d]"},
        {"a'b'\"c\"d", "[abcd]"},
        {"'' \"\"", "[][]"},
        {"a'' ''b", "[a][b]"},
        {"'\"' \"'\"",
                "[\"]['"
                "]"},
        {"a\\ b \\\\ \\' \\\"", "[a b][\\]['][\"]"},
        {"'\\' '\\n'", "[\\][\\n]"},
        {"\"\\\" \\\\ \\n \\{\"", "[\" \\ \\n {]"},
        {"{x}", "[<x>]"},
        {"{x}{y:}", "[<x><y=>]"},
        {"-o={x:a b}.png", "[-o=<x=a b>.png]"},
        {"\"{x}\" '{x}' \\{x}", "[<x>][{x}][{x}]"},
        {"{_a1:b:c}", "[<_a1=b:c>]"},
        {"a}b", "[a}b]"},
        {"$HOME `id` ; | & * ~ #", "[$HOME][`id`][;][|][&][*][~][#]"},
        {"\xc3\xa4 '\xff'", "[\xc3\xa4][\xff]"},
};

START_TEST(line_becomes_words)
{
    ck_assert_int_eq(
            amdi_command_words_add(&words, &arena, good[_i].line, &error),
            AMDRPC_OK);

    ck_assert_str_eq(show(), good[_i].shown);
}
END_TEST

static const struct {
    const char *line;
    const char *why;
} bad[] = {
        {"'", "a single quote is not closed"},
        {"a 'b", "a single quote is not closed"},
        {"a\"b c", "a double quote is not closed"},
        {"\"a\\\"", "a double quote is not closed"},
        {"a\\", "nothing stands behind the last"},
        {"\"\\", "nothing stands behind the last"},
        {"{", "the \"}\" is missing"},
        {"{x", "{x: the \"}\" is missing"},
        {"\"{x\"", "the \"}\" is missing"},
        {"{}", "a parameter's name has"},
        {"{:a}", "a parameter's name has"},
        {"{1a}", "{1a}: a parameter's name has"},
        {"{a-b}", "{a-b}: a parameter's name has"},
        {"{a b}", "a parameter's name has"},
        {"{{x}}", "a parameter's name has"},
};

START_TEST(bad_line_is_refused)
{
    ck_assert_int_eq(
            amdi_command_words_add(&words, &arena, bad[_i].line, &error),
            AMDRPC_EINVAL);

    ck_assert_msg(strstr(error.text, bad[_i].why) != NULL, "%s", error.text);
}
END_TEST

START_TEST(lines_add_up)
{
    ck_assert_int_eq(
            amdi_command_words_add(&words, &arena, "a b", &error), AMDRPC_OK);
    ck_assert_int_eq(
            amdi_command_words_add(&words, &arena, "c", &error), AMDRPC_OK);

    ck_assert_str_eq(show(), "[a][b][c]");
    ck_assert_uint_eq(words.count, 3);
}
END_TEST

/* Any line is split or refused, and no word is longer than the line. */
START_TEST(any_line_is_split_or_refused)
{
    static const char letters[] = "ab \t'\"\\{}:_1-";
    char line[13];
    unsigned seed = (unsigned)_i;

    for (size_t n = 0; n < 20000; n++) {
        size_t len = (size_t)rand_r(&seed) % sizeof(line);

        for (size_t i = 0; i < len; i++) {
            line[i] = letters[(size_t)rand_r(&seed) % (sizeof(letters) - 1)];
        }
        line[len] = '\0';
        words = (struct amdi_command_words){0};
        error.text[0] = '\0';
        if (amdi_command_words_add(&words, &arena, line, &error) == AMDRPC_OK) {
            ck_assert_uint_le(words.count, len);
            ck_assert_uint_le(strlen(show()), 4 * len);
        } else {
            ck_assert_msg(error.text[0] != '\0', "%s", line);
        }
        amdi_arena_reset(&arena);
    }
}
END_TEST

START_TEST(names_are_letters_digits_and_underscores)
{
    char name[AMDI_COMMAND_NAME_BYTES + 1];

    ck_assert(amdi_command_name_is_valid("a"));
    ck_assert(amdi_command_name_is_valid("_A9"));
    ck_assert(!amdi_command_name_is_valid(""));
    ck_assert(!amdi_command_name_is_valid("9a"));
    ck_assert(!amdi_command_name_is_valid("a-b"));
    ck_assert(!amdi_command_name_is_valid("\xc3\xa4"));
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    ck_assert(!amdi_command_name_is_valid(name));
    ck_assert(amdi_command_name_is_valid(name + 1));
}
END_TEST

static amdrpc_err
split_and_free(void *arg)
{
    struct amdi_command_words own = {0};
    amdrpc_err err = AMDRPC_OK;

    (void)arg;
    err = amdi_command_words_add(
            &own, &arena, "'a' \"b{c:d}\" e{f} g h i j k l m n o p", &error);
    amdi_arena_fini(&arena);
    return err;
}

START_TEST(every_allocation_may_fail)
{
    (void)test_sweep_allocations(split_and_free, NULL);
}
END_TEST

static Suite *
words_suite(void)
{
    Suite *suite = suite_create("command words");
    TCase *lines = tcase_create("lines");

    tcase_add_checked_fixture(lines, set_up, tear_down);
    tcase_add_loop_test(
            lines, line_becomes_words, 0, sizeof(good) / sizeof(good[0]));
    tcase_add_loop_test(
            lines, bad_line_is_refused, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(lines, lines_add_up);
    tcase_add_loop_test(lines, any_line_is_split_or_refused, 0, 5);
    tcase_add_test(lines, names_are_letters_digits_and_underscores);
    tcase_add_test(lines, every_allocation_may_fail);
    suite_add_tcase(suite, lines);
    return suite;
}

TEST_MAIN(words_suite)
