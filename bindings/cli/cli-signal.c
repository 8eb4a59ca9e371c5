/* cli-signal.c - signals that end a command
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* Microseconds in which signals are one: timeout(1) sends each to the process and to its group. */
#define PATIENCE 500000

static GCancellable *cancellable; /* (owned) by the process */
static sigset_t watched;
static int got; /* atomic */

static void *
wait_for_signals (void *unused)
{
  gint64 first = 0;
  int number;

  while (sigwait (&watched, &number) == 0)
    {
      gint64 now = g_get_monotonic_time ();

      if (first == 0)
        {
          first = now;
          __atomic_store_n (&got, number, __ATOMIC_SEQ_CST);
          g_cancellable_cancel (cancellable);
        }
      else if (now - first > PATIENCE)
        _exit (128 + number);
    }
  return NULL;
}

/* One that the process was told to ignore, as nohup does, stays ignored. */
static void
watch_unless_ignored (int number)
{
  struct sigaction action;

  if (sigaction (number, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
    sigaddset (&watched, number);
}

GCancellable *
cli_signal_watch (void)
{
  pthread_t thread;

  cancellable = g_cancellable_new ();
  sigemptyset (&watched);
  watch_unless_ignored (SIGINT);
  watch_unless_ignored (SIGTERM);
  watch_unless_ignored (SIGHUP);
  pthread_sigmask (SIG_BLOCK, &watched, NULL);
  if (pthread_create (&thread, NULL, wait_for_signals, NULL) == 0)
    pthread_detach (thread);
  else
    pthread_sigmask (SIG_UNBLOCK, &watched, NULL);
  return cancellable;
}

int
cli_signal_got (void)
{
  return __atomic_load_n (&got, __ATOMIC_SEQ_CST);
}

gboolean
cli_signal_wait_for (int fd, GIOCondition condition, GError **error)
{
  GPollFD polled[] = { { fd, (gushort) condition, 0 }, { 0, 0, 0 } };

  g_cancellable_make_pollfd (cancellable, &polled[1]);
  while (g_poll (polled, 2, -1) < 0 && errno == EINTR)
    ;
  g_cancellable_release_fd (cancellable);
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}
