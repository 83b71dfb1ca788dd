/*
 * lib/json: the strict reader, canonical text, faults, decoding, merging.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/canon.h"
#include "lib/json/decode.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/json/merge.h"

#define MAX_BYTES 1000000

static struct json_object *
parse(const char *text)
{
	struct json_object *o;

	if (json_parse(text, strlen(text), MAX_BYTES, &o) != 0)
		fail_msg("%s: %s", text, err_text());
	return o;
}

static int
refusal(const char *text)
{
	struct json_object *o;
	int r = json_parse(text, strlen(text), MAX_BYTES, &o);

	assert_null(o);
	return r;
}

/* --- reading -------------------------------------------------------------- */

static void
documents_keep_order_and_spelling(void **state)
{
	static const char text[] =
	    "{\"b\":1,\"a\":[true,false,null,\"x/y\"],\"n\":0.0001,"
	    "\"e\":1E2,\"i\":-9223372036854775808,\"o\":{}}";
	struct json_object *o = parse(text);

	(void)state;
	assert_string_equal(json_text(o), text);
	json_object_put(o);
}

static void
escapes_become_utf8(void **state)
{
	struct json_object *o;

	(void)state;
	o = parse("\"\\u00e9\\u20ac\\ud83d\\ude00\\n\\\"\\\\\\/\\b\\f\\r\\t\"");
	assert_string_equal(json_object_get_string(o),
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n\"\\/\b\f\r\t");
	json_object_put(o);
}

static void
text_beside_the_standard_is_refused(void **state)
{
	static const char *const bad[] = { "", " ", "{", "[", "[1,]", "{,}",
		"{\"a\":1,}", "{a:1}", "{'a':1}", "[1 2]", "01", "-", "+1",
		".5", "1.", "1e", "1e+", "0x10", "NaN", "Infinity", "-Infinity",
		"nan", "tru", "True", "nulll", "\"a", "\"\t\"", "\"\\x\"",
		"\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
		"\"\\u0000\"", "{\"\\u0000\":1}", "// c\n1", "/* c */1", "1 1",
		"[]]", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"",
		"\xef\xbb\xbf{}", "1e400", "-1e400" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (refusal(bad[i]) != ERR_FORMAT)
			fail_msg("accepted: %s", bad[i]);
}

static void
a_nul_byte_does_not_end_the_text(void **state)
{
	struct json_object *o;

	(void)state;
	assert_int_equal(json_parse("1\0", 2, MAX_BYTES, &o), ERR_FORMAT);
	assert_int_equal(json_parse("\"a\0b\"", 5, MAX_BYTES, &o), ERR_FORMAT);
}

static void
duplicate_names_are_refused_however_they_are_spelt(void **state)
{
	(void)state;
	assert_int_equal(refusal("{\"a\":1,\"b\":2,\"a\":1}"), ERR_FORMAT);
	assert_int_equal(refusal("{\"a\":1,\"\\u0061\":1}"), ERR_FORMAT);
	assert_int_equal(refusal("[{\"x\":{\"a\":1,\"a\":1}}]"), ERR_FORMAT);
	json_object_put(parse("{\"a\":{\"a\":{\"a\":1}},\"A\":1}"));
}

static void
a_fault_names_line_and_column(void **state)
{
	(void)state;
	refusal("{\n  \"\xc3\xa9\": x }");
	assert_non_null(strstr(err_text(), "line 2, column 8"));
}

static char *
nested(int depth)
{
	char *s = calloc(1, 2 * (size_t)depth + 1);
	int i;

	assert_non_null(s);
	for (i = 0; i < depth; i++) {
		s[i] = '[';
		s[2 * depth - 1 - i] = ']';
	}
	return s;
}

static void
nesting_is_limited(void **state)
{
	char *ok = nested(JSON_MAX_DEPTH);
	char *deep = nested(JSON_MAX_DEPTH + 1);
	char *hostile = nested(400000);

	(void)state;
	json_object_put(parse(ok));
	assert_int_equal(refusal(deep), ERR_LIMIT);
	assert_int_equal(refusal(hostile), ERR_LIMIT);
	/* Side by side is not within each other. */
	json_object_put(parse("[[],[],{},{\"a\":[]},[[]]]"));
	free(ok);
	free(deep);
	free(hostile);
}

static void
size_and_number_of_containers_are_limited(void **state)
{
	struct json_object *o;
	struct buf b = BUF_INIT;
	int i;

	(void)state;
	assert_int_equal(json_parse("[1,2,3]", 7, 6, &o), ERR_LIMIT);
	buf_puts(&b, "[{}");
	for (i = 0; i < 310000; i++)
		buf_puts(&b, ",{}");
	buf_putc(&b, ']');
	assert_int_equal(json_parse(b.data, b.len, b.len, &o), ERR_LIMIT);
	buf_fini(&b);
}

static void
number_of_values_is_limited(void **state)
{
	struct json_object *o;
	struct buf b = BUF_INIT;
	int i;

	(void)state;
	buf_puts(&b, "[0");
	for (i = 0; i < 4500000; i++)
		buf_puts(&b, ",0");
	buf_putc(&b, ']');
	assert_int_equal(json_parse(b.data, b.len, b.len, &o), ERR_LIMIT);
	assert_null(o);
	buf_fini(&b);
}

static void
huge_numbers_keep_their_meaning(void **state)
{
	struct json_object *o;
	struct buf b = BUF_INIT;
	int i;

	(void)state;
	o = parse("9223372036854775808");
	assert_true(json_object_is_type(o, json_type_double));
	assert_true(json_object_get_double(o) == 9223372036854775808.0);
	json_object_put(o);
	json_object_put(parse("1e-400"));
	for (i = 0; i < 2000; i++)
		buf_putc(&b, '9');
	assert_int_equal(refusal(buf_str(&b)), ERR_FORMAT);
	buf_fini(&b);
}

/* --- canonical form ------------------------------------------------------- */

/* RFC 8785, appendix B: the bits of a double and its text. */
static void
numbers_are_written_as_rfc_8785_lists_them(void **state)
{
	static const struct {
		uint64_t bits;
		const char *text;
	} samples[] = {
		{ 0x0000000000000000, "0" },
		{ 0x8000000000000000, "0" },
		{ 0x0000000000000001, "5e-324" },
		{ 0x8000000000000001, "-5e-324" },
		{ 0x7fefffffffffffff, "1.7976931348623157e+308" },
		{ 0xffefffffffffffff, "-1.7976931348623157e+308" },
		{ 0x4340000000000000, "9007199254740992" },
		{ 0xc340000000000000, "-9007199254740992" },
		{ 0x4430000000000000, "295147905179352830000" },
		{ 0x44b52d02c7e14af5, "9.999999999999997e+22" },
		{ 0x44b52d02c7e14af6, "1e+23" },
		{ 0x44b52d02c7e14af7, "1.0000000000000001e+23" },
		{ 0x444b1ae4d6e2ef4e, "999999999999999700000" },
		{ 0x444b1ae4d6e2ef4f, "999999999999999900000" },
		{ 0x444b1ae4d6e2ef50, "1e+21" },
		{ 0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7" },
		{ 0x3eb0c6f7a0b5ed8d, "0.000001" },
		{ 0x41b3de4355555553, "333333333.3333332" },
		{ 0x41b3de4355555554, "333333333.33333325" },
		{ 0x41b3de4355555555, "333333333.3333333" },
		{ 0x41b3de4355555556, "333333333.3333334" },
		{ 0x41b3de4355555557, "333333333.33333343" },
		{ 0xbecbf647612f3696, "-0.0000033333333333333333" },
		{ 0x43143ff3c1cb0959, "1424953923781206.2" },
		/* 2^-44: the nearest 16 digits do not read back, the next
		 * do; a power of two. */
		{ 0x3d30000000000000, "5.684341886080802e-14" },
		{ 0x3ff0000000000000, "1" },
		{ 0x3fb999999999999a, "0.1" },
		{ 0x0010000000000000, "2.2250738585072014e-308" },
		{ 0x000fffffffffffff, "2.225073858507201e-308" },
		{ 0x4024000000000000, "10" },
		{ 0x3f1a36e2eb1c432d, "0.0001" },
	};
	char text[JSON_NUMBER_SIZE];
	double d;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		memcpy(&d, &samples[i].bits, sizeof(d));
		json_number_text(d, text);
		assert_string_equal(text, samples[i].text);
	}
}

/* How many digits stand between the first and the last that is not 0. */
static size_t
significant(const char *text)
{
	size_t n = 0, zeros = 0;

	for (; *text != '\0' && *text != 'e'; text++) {
		if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
			continue;
		if (*text == '0') {
			zeros++;
			continue;
		}
		n += zeros + 1;
		zeros = 0;
	}
	return n;
}

static void
random_doubles_read_back_in_few_digits(void **state)
{
	char text[JSON_NUMBER_SIZE], shorter[40];
	uint64_t x = 88172645463325252u, bits;
	double d, back;
	int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		/* xorshift64, Marsaglia 2003: any spread of bits will do. */
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		bits = x;
		memcpy(&d, &bits, sizeof(d));
		if (!(d == d) || d - d != 0)
			continue;
		json_number_text(d, text);
		back = strtod(text, NULL);
		assert_memory_equal(&back, &d, sizeof(d));
		/* When 16 digits do, 17 were not written. */
		snprintf(shorter, sizeof(shorter), "%.15e", d);
		if (strtod(shorter, NULL) == d)
			assert_true(significant(text) <= 16);
	}
}

static void
canonical(const char *text, const char *expected)
{
	struct json_object *o = parse(text);
	struct buf b = BUF_INIT;

	assert_int_equal(json_canon(o, &b), 0);
	assert_string_equal(buf_str(&b), expected);
	buf_fini(&b);
	json_object_put(o);
}

/* RFC 8785, section 3.2.2. */
static void
the_sample_of_rfc_8785_has_its_canonical_form(void **state)
{
	(void)state;
	canonical(
	    "{\n"
	    "  \"numbers\": [333333333.33333329, 1E30, 4.50,\n"
	    "              2e-3, 0.000000000000000000000000001],\n"
	    "  \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c"
	    "\\\\\\\"\\/\",\n"
	    "  \"literals\": [null, true, false]\n"
	    "}",
	    "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,"
	    "1e+30,4.5,0.002,1e-27],\"string\":\"\xe2\x82\xac$\\u000f\\nA'B"
	    "\\\"\\\\\\\\\\\"/\"}");
}

/* RFC 8785, section 3.2.3: code units, not code points, decide. */
static void
names_are_sorted_by_utf16_code_units(void **state)
{
	(void)state;
	canonical(
	    "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\","
	    "\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
	    "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\","
	    "\"\\u0080\":\"Control\","
	    "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
	    "{\"\\r\":\"Carriage Return\",\"1\":\"One\","
	    "\"\xc2\x80\":\"Control\","
	    "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\","
	    "\"\xe2\x82\xac\":\"Euro Sign\","
	    "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
	    "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
	canonical("{\"ab\":1,\"a\":2,\"\":3,\"aa\":{}}",
	    "{\"\":3,\"a\":2,\"aa\":{},\"ab\":1}");
}

static void
equal_numbers_have_equal_text(void **state)
{
	(void)state;
	canonical("[1.0, 1, 10e-1, -0, -0.0, 100000000000000000000,"
		  " 9007199254740993]",
	    "[1,1,1,0,0,100000000000000000000,9007199254740992]");
}

/* --- faults --------------------------------------------------------------- */

static void
pointers_are_escaped(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	json_path_text(NULL, &b);
	assert_string_equal(buf_str(&b), "");
	json_path_text(
	    JSON_PATH_AT(JSON_PATH_KEY(JSON_PATH_KEY(NULL, "a/b"), "m~n"), 3),
	    &b);
	assert_string_equal(buf_str(&b), "/a~1b/m~0n/3");
	buf_fini(&b);
}

static void
faults_are_listed_with_place_and_value(void **state)
{
	struct faults f = FAULTS_INIT;
	struct json_object *v = parse("\"long\"");
	struct buf b = BUF_INIT;
	int i;

	(void)state;
	faults_add_value(&f, JSON_PATH_KEY(NULL, "x"), v, "is %s", "wrong");
	faults_add(&f, NULL, "is empty");
	faults_text(&f, &b);
	assert_string_equal(
	    buf_str(&b), "/x: is wrong (found \"long\")\ndocument: is empty");
	for (i = 0; i < 1000; i++)
		faults_add(&f, NULL, "again");
	assert_int_equal(f.n, FAULTS_MAX);
	assert_int_equal(faults_count(&f), 1002);
	assert_int_equal(faults_err(&f, "job"), ERR_INVALID);
	buf_fini(&b);
	json_object_put(v);
	faults_fini(&f);
	assert_false(faults_any(&f));
}

static void
a_refusal_without_a_fault_is_an_error_all_the_same(void **state)
{
	struct faults f = FAULTS_INIT;

	(void)state;
	assert_int_equal(faults_err(&f, "job"), ERR_INTERNAL);
	assert_non_null(strstr(err_text(), "job"));
}

static void
long_values_are_cut_between_characters(void **state)
{
	struct faults f = FAULTS_INIT;
	struct json_object *v;
	char text[400] = "\"";
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		strcat(text, "\xe2\x82\xac");
	strcat(text, "\"");
	v = parse(text);
	faults_add_value(&f, NULL, v, "x");
	assert_true(str_is_utf8(f.items[0].value, strlen(f.items[0].value)));
	assert_true(strlen(f.items[0].value) < 130);
	json_object_put(v);
	faults_fini(&f);
}

/* --- decoding ------------------------------------------------------------- */

struct order {
	const char *name;
	int64_t count;
	double price;
	bool paid;
	int kind;
	struct json_object *extra;
	struct json_object *list;
	char party[JSON_PARTY_SIZE];
};

static const char *const kinds[] = { "small", "large", NULL };

static const struct json_field order_fields[] = {
	JSON_STR(struct order, name, 1, 8, JSON_REQUIRED),
	JSON_INT(struct order, count, 1, 10, JSON_REQUIRED | JSON_LENIENT),
	JSON_NUM(struct order, price, 0),
	JSON_BOOL(struct order, paid, JSON_LENIENT),
	JSON_ENUM(struct order, kind, kinds, 0),
	JSON_OBJ(struct order, extra, JSON_NULLABLE),
	JSON_ARR(struct order, list, 1, 2, 0),
	JSON_PARTY(struct order, party, 0),
};

static size_t
decode(const char *text, struct order *out, struct faults *f)
{
	struct json_object *o = parse(text);
	int r;

	memset(out, 0, sizeof(*out));
	r = json_decode(
	    o, JSON_FIELDS(order_fields), JSON_FAULT_UNKNOWN, NULL, f, out);
	assert_int_equal(r, faults_any(f) ? ERR_INVALID : 0);
	out->name = NULL; /* belongs to o */
	json_object_put(o);
	return faults_count(f);
}

static void
a_good_object_fills_the_struct(void **state)
{
	struct faults f = FAULTS_INIT;
	struct order x;

	(void)state;
	assert_int_equal(
	    decode("{\"name\":\"a\",\"count\":\"7\",\"paid\":1,"
		   "\"kind\":\"large\",\"extra\":null,\"party\":\"9999\","
		   "\"price\":2}",
		&x, &f),
	    0);
	assert_int_equal(x.count, 7);
	assert_true(x.paid);
	assert_int_equal(x.kind, 1);
	assert_null(x.extra);
	assert_string_equal(x.party, "9999");
	assert_true(x.price == 2.0);
	assert_int_equal(decode("{\"name\":\"a\",\"count\":3.0,"
				"\"paid\":\"False\",\"party\":10000}",
			     &x, &f),
	    0);
	assert_int_equal(x.count, 3);
	assert_string_equal(x.party, "10000");
	faults_fini(&f);
}

static void
every_wrong_member_is_told(void **state)
{
	struct faults f = FAULTS_INIT;
	struct order x;

	(void)state;
	assert_int_equal(
	    decode("{\"name\":\"\",\"price\":\"2\","
		   "\"paid\":\"maybe\",\"kind\":\"huge\",\"extra\":[],"
		   "\"list\":[1,2,3],\"party\":\"09\",\"cuont\":1}",
		&x, &f),
	    9);
	assert_string_equal(f.items[1].pointer, "/count");
	assert_string_equal(f.items[1].message, "is missing");
	assert_string_equal(f.items[8].pointer, "/cuont");
	assert_non_null(strstr(f.items[8].message, "did you mean \"count\"?"));
	faults_fini(&f);
}

static void
party_ids_are_up_to_ten_digits(void **state)
{
	static const char *const bad[] = { "-1", "1.0", "\"01\"", "true",
		"null", "\"\"", "\"12345678901\"", "12345678901", "[1]",
		"\"1 \"" };
	struct json_object *o;
	char id[JSON_PARTY_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o = parse(bad[i]);
		if (json_party_id(o, id))
			fail_msg("accepted: %s", bad[i]);
		json_object_put(o);
	}
	o = parse("0");
	assert_true(json_party_id(o, id));
	json_object_put(o);
}

/* --- merging -------------------------------------------------------------- */

static void
merging_goes_into_objects_and_replaces_the_rest(void **state)
{
	struct json_object *base, *patch;

	(void)state;
	base = parse("{\"a\":{\"x\":1,\"y\":[1,2]},\"b\":1,\"c\":{}}");
	patch = parse("{\"a\":{\"y\":[3],\"z\":null},\"c\":2,\"d\":{\"e\":1}}");
	json_merge(base, patch);
	assert_string_equal(json_text(base),
	    "{\"a\":{\"x\":1,\"y\":[3],\"z\":null},\"b\":1,\"c\":2,"
	    "\"d\":{\"e\":1}}");
	json_object_put(patch);
	json_object_put(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_keep_order_and_spelling),
		cmocka_unit_test(escapes_become_utf8),
		cmocka_unit_test(text_beside_the_standard_is_refused),
		cmocka_unit_test(a_nul_byte_does_not_end_the_text),
		cmocka_unit_test(
		    duplicate_names_are_refused_however_they_are_spelt),
		cmocka_unit_test(a_fault_names_line_and_column),
		cmocka_unit_test(nesting_is_limited),
		cmocka_unit_test(size_and_number_of_containers_are_limited),
		cmocka_unit_test(number_of_values_is_limited),
		cmocka_unit_test(huge_numbers_keep_their_meaning),
		cmocka_unit_test(numbers_are_written_as_rfc_8785_lists_them),
		cmocka_unit_test(random_doubles_read_back_in_few_digits),
		cmocka_unit_test(the_sample_of_rfc_8785_has_its_canonical_form),
		cmocka_unit_test(names_are_sorted_by_utf16_code_units),
		cmocka_unit_test(equal_numbers_have_equal_text),
		cmocka_unit_test(pointers_are_escaped),
		cmocka_unit_test(faults_are_listed_with_place_and_value),
		cmocka_unit_test(
		    a_refusal_without_a_fault_is_an_error_all_the_same),
		cmocka_unit_test(long_values_are_cut_between_characters),
		cmocka_unit_test(a_good_object_fills_the_struct),
		cmocka_unit_test(every_wrong_member_is_told),
		cmocka_unit_test(party_ids_are_up_to_ten_digits),
		cmocka_unit_test(
		    merging_goes_into_objects_and_replaces_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
