/* dictsqlite.h - the one header to include
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#define DICTSQLITE_INSIDE

#include <dsq-bind.h>
#include <dsq-channel.h>
#include <dsq-cursor.h>
#include <dsq-enums.h>
#include <dsq-error.h>
#include <dsq-key-model.h>
#include <dsq-migrate.h>
#include <dsq-pickle.h>
#include <dsq-stats.h>
#include <dsq-store-async.h>
#include <dsq-store-records.h>
#include <dsq-store.h>
#include <dsq-transaction.h>
#include <dsq-types.h>
#include <dsq-version.h>
#include <dsq-wait.h>
#include <dsq-watch.h>

#undef DICTSQLITE_INSIDE
