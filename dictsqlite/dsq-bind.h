/* dsq-bind.h - a property of an object that is what a key holds
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-enums.h>

G_BEGIN_DECLS

DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_bind (DsqStore *self,
                                              const char *key,
                                              gpointer object,
                                              const char *property,
                                              DsqBindFlags flags,
                                              GError **error);
DSQ_AVAILABLE_IN_1_0 gboolean dsq_store_bind_with_mapping (DsqStore *self,
                                                           const char *key,
                                                           gpointer object,
                                                           const char *property,
                                                           DsqBindFlags flags,
                                                           GClosure *get_mapping,
                                                           GClosure *set_mapping,
                                                           GError **error);
DSQ_AVAILABLE_IN_1_0 void dsq_store_unbind (gpointer object, const char *property);

G_END_DECLS
