/* dsq-version.c - the version of the library
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-version.h"

/**
 * dsq_version_string:
 *
 * The version of the library that runs, as "major.minor.micro".
 *
 * Returns: (transfer none): the version
 *
 * Since: 1.0
 */
const char *
dsq_version_string (void)
{
  return PACKAGE_VERSION;
}
