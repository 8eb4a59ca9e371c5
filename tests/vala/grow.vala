// grow.vala - calls everything that gives an answer again and again, and tells what is left of it
// SPDX-License-Identifier: LGPL-2.1-or-later
// grow FILE ROUNDS: prints by how many KiB the process grew in the second half of the rounds

int64 resident () throws Error {
    string text;
    FileUtils.get_contents ("/proc/self/statm", out text);
    return int64.parse (text.split (" ")[1]) * 4;
}

void call_all (Dsq.Store store, int i) throws Error {
    var key = @"key $(i % 100)";
    store.set_string (key, "a value");
    store.get_string (key);
    store[key] = new Variant.int64 (i);
    var value = store[key];
    assert (value.get_int64 () == i);
    try {
        store.get_string (key);
        assert_not_reached ();
    } catch (Dsq.Error.WRONG_TYPE error) {
    }
    assert (store["none"] == null);
    assert (key in store);
    store.get_many ({ key, "none" });
    store.remove ("none");
    store.walk (Dsq.WalkOrder.FORWARD).next_many (10);
    store.list_keys ("key 1", null, 10);
    store.get_stats ();
}

int main (string[] args) {
    try {
        var store = new Dsq.Store.open (args[1], Dsq.PersistMode.LAZY);
        var rounds = int.parse (args[2]);
        int64 before = 0;
        for (var i = 0; i < rounds; i++) {
            if (i == rounds / 2)
                before = resident ();
            call_all (store, i);
        }
        stdout.printf ("%" + int64.FORMAT + "\n", resident () - before);
        store.close ();
        return 0;
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 1;
    }
}
