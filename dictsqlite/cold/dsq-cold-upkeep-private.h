/* dsq-cold-upkeep-private.h - what can be done with a cold tier that outlives its engine
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-tier-private.h"

G_BEGIN_DECLS

/* Called as the functions of DsqColdTierFuncs are. */
struct _DsqColdUpkeepFuncs
{
  /* The header, at any time; and its replacement in the transaction, DSQ_ERROR_CHANGED when it is
   * no longer @before. */
  gboolean (*get_header) (DsqColdTier *self, DsqHeader *out_header, GError **error);
  gboolean (*replace_header) (DsqColdTier *self,
                              const DsqHeader *before,
                              const DsqHeader *after,
                              GError **error);
  /* (nullable) Brings all in and begins anew what may hold older headers: *out_is_renewed. FALSE
   * there: somebody reads from it. NULL: there is no such thing that a client could see to. */
  gboolean (*renew_log) (DsqColdTier *self, gboolean *out_is_renewed, GError **error);
  /* Writes all that is committed into a new file: as other reads, but longer. */
  gboolean (*copy) (DsqColdTier *self, const DsqColdCopyOptions *options, GError **error);
  /* Any thread, any time before close. Copies what is there now to a new file, as it is stored;
   * commits meanwhile are not in the copy. */
  gboolean (*backup) (DsqColdTier *self,
                      const char *path,
                      DsqColdProgressFunc progress,
                      gpointer user_data,
                      GError **error);
  /* Likewise. Reads all of it, and appends what is wrong to @problems, of char * (owned). */
  gboolean (*check) (DsqColdTier *self, GPtrArray *problems, GError **error);
};

G_END_DECLS
