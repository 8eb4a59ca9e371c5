/* dsq-pickle.h - what a Python pickle would do
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-types.h>

G_BEGIN_DECLS

DSQ_AVAILABLE_IN_1_0 guint8 *dsq_pickle_check (const guint8 *pickle,
                                               gsize length,
                                               gsize *out_length,
                                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
