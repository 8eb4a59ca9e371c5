/* dsq-bind-private.h - what a property holds, as what a key holds, and back
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Whether properties of that type are what keys can hold. */
gboolean dsq_bind_is_bindable (GType type);

/* (transfer full) What is stored of @value, which is of such a type. */
GVariant *dsq_bind_value_to_variant (const GValue *value);

/* Fills @out, initialised to such a type, with what is stored; FALSE with DSQ_ERROR_WRONG_TYPE, or
 * with DSQ_ERROR_INVALID_VALUE for what is out of the type's range. */
gboolean dsq_bind_value_from_variant (GValue *out, GVariant *variant, GError **error);

/* Gives the class of stores its signal `bind-failed`. */
void dsq_bind_install_signal (GType store_type);

G_END_DECLS
