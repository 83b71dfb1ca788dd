/*
 * Rows as people and clients see them: columns in the order id, match id,
 * label, then values; predict rows in the order of their five columns.
 * Numbers are written as short as they can be read back ("0.1", "1.0");
 * labels and results that are whole numbers have no point.
 */
#ifndef LIB_ENGINE_RENDER_H
#define LIB_ENGINE_RENDER_H

#include <json-c/json.h>

#include "lib/base/buf.h"
#include "lib/engine/storage.h"

/* "0.1", "1.0", "1e-05", "nan", "inf", "-inf" */
void render_double(struct buf *out, double v);

/*
 * The row as an array; text rows are cut at the delimiter.  Numbers that
 * JSON cannot say (NaN, infinities) and missing labels become null.
 */
struct json_object *render_row_json(const struct row *, const char *delimiter);

/*
 * The row as one line of text without its end, cells joined by the
 * delimiter; missing labels are "None", predict_detail stands in double
 * quotes with single quotes inside.
 */
void render_row_csv(struct buf *out, const struct row *, const char *delimiter);

/*
 * The names of the columns that the two functions above give, from a table's
 * schema: an array of strings, the caller's.  Columns that the schema does
 * not name are left out: compare lengths before pairing.
 */
struct json_object *render_columns(
    struct json_object *schema, const char *delimiter);

#endif
