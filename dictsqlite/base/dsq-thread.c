/* dsq-thread.c - threads that nobody waits for
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <pthread.h>

#include "base/dsq-thread-private.h"

void
dsq_thread_start (void *(*func) (void *), void *data)
{
  pthread_attr_t attributes;
  pthread_t thread;

  pthread_attr_init (&attributes);
  pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  if (pthread_create (&thread, &attributes, func, data) != 0)
    func (data);
  pthread_attr_destroy (&attributes);
}
