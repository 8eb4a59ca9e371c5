/* cli-variant.h - JSON of any shape as a GVariant
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli-json.h"

G_BEGIN_DECLS

/* An object is an a{sv}, an array an av, null an empty mv, a number an x or a d. CLI_DAMAGED where
 * a string holds a NUL or a number is beyond 64 bits. Floating. */
GVariant *cli_variant_from_json (const CliJson *json, GError **error);

G_END_DECLS
