/* coverage-exit.c - what a process that ends by _exit() or abort() has taken counts as well
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * libgcov writes its counts in a destructor, which these leave out, and a test's children mostly
 * end by the one: those in which calls are made to fail would count for nothing; and by the other
 * where a check of the order of locks is tried. It knows the counts of the one library or program
 * that it is linked into, so this is part of the library, in builds with -Db_coverage=true.
 */

#include <gcov.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DSQ_INTERPOSED __attribute__ ((visibility ("default"))) void

DSQ_INTERPOSED
_exit (int status)
{
  __gcov_dump ();
  for (;;)
    syscall (SYS_exit_group, status);
}

DSQ_INTERPOSED
abort (void)
{
  __gcov_dump ();
  signal (SIGABRT, SIG_DFL);
  raise (SIGABRT);
  _exit (127);
}
