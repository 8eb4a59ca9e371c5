/* dsq-browser.c - dsq-browser, a window on the stores of dictsqlite
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-application.h"

int
main (int argc, char **argv)
{
  g_autoptr (BrowserApplication) application = browser_application_new ();

  return g_application_run (G_APPLICATION (application), argc, argv);
}
