// settings.vala - settings of a program, which outlive it
// SPDX-License-Identifier: LGPL-2.1-or-later
// valac --pkg dictsqlite-1 settings.vala

int main () {
    try {
        var settings = new Dsq.Store.open ("settings.db", Dsq.PersistMode.WRITETHROUGH, null);
        var started = settings.get ("started", null);
        var count = started == null ? 1 : started.get_int64 () + 1;
        settings.set ("started", new Variant.int64 (count), null);
        settings.set ("size", new Variant ("(ii)", 640, 480), null);
        print ("started %s times, %s\n", count.to_string (), settings.get ("size", null).print (false));
        settings.close (null);
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 1;
    }
    return 0;
}
