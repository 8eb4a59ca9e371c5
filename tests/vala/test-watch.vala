// test-watch.vala - being told from Vala what changes
// SPDX-License-Identifier: LGPL-2.1-or-later

string[] heard;

void listen (Dsq.Watch watch) {
    watch.changed.connect ((keys) => {
        heard += keys == null ? "*" : string.joinv (" ", keys);
    });
}

string hear () {
    heard = {};
    while (MainContext.default ().iteration (false));
    return string.joinv (";", heard);
}

int main () {
    try {
        var store = new Dsq.Store.open (":memory:", Dsq.PersistMode.MEMORY, null);
        var watch = store.watch ("ключ");
        listen (watch);
        store.set_string ("other", "v", null);
        store.set_string ("ключ 1", "v", null);
        store.set_string ("ключ 2", "v", null);
        assert (hear () == "ключ 1 ключ 2");
        store.clear (null);
        assert (hear () == "*");
        watch = null;
        store.set_string ("ключ 1", "v", null);
        assert (hear () == "");

        var table = store.get_table ("table", null);
        var of_table = table.watch (null);
        listen (of_table);
        store.set_string ("k", "v", null);
        table.set_string ("t", "v", null);
        assert (hear () == "t");
        store.close (null);
        assert (hear () == "");
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 1;
    }
    return 0;
}
