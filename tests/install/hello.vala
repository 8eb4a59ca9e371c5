// hello.vala - a Vala program on the installed vapi
// SPDX-License-Identifier: LGPL-2.1-or-later

int main (string[] args) {
    try {
        var store = new Dsq.Store.open (args[1], Dsq.PersistMode.LAZY, null);
        store.set_string ("vala", "from Vala", null);
        store.close (null);

        store = new Dsq.Store.open (args[1], Dsq.PersistMode.LAZY, null);
        print ("%s\n", store.get_string ("vala", null));
        store.close (null);
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 1;
    }
    return 0;
}
