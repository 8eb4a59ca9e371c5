/* dsq-error.c - the error domain
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-error.h"

/**
 * dsq_error_quark:
 *
 * The error domain of the library.
 *
 * Returns: the quark of %DSQ_ERROR
 *
 * Since: 1.0
 */
GQuark
dsq_error_quark (void)
{
  return g_quark_from_static_string ("dsq-error-quark");
}
