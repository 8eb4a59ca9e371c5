/* dsq-file-place.c - which file a path means
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-file-place-private.h"
#include "sqlite/dsq-location-private.h"

gboolean
dsq_file_place_find (const char *path, DsqFilePlace *out_place, GError **error)
{
  DsqLocationIdentity identity;

  *out_place = (DsqFilePlace){ .path = dsq_location_resolve (path, error) };
  if (out_place->path == NULL)
    return FALSE;
  /* what cannot be looked at is told by who opens it */
  out_place->is_there = dsq_location_identify (out_place->path, &identity, NULL);
  if (out_place->is_there)
    {
      out_place->device = identity.device;
      out_place->inode = identity.inode;
    }
  return TRUE;
}

gboolean
dsq_file_place_check_names (const DsqFilePlace *place, GError **error)
{
  return dsq_location_check_names (place->path, error);
}
