// test-dict.vala - a store as Vala's syntax for containers has it
// SPDX-License-Identifier: LGPL-2.1-or-later

async void use_async (Dsq.Store store) throws Error {
    yield store.set_string_async ("later", "yes");
    assert ((yield store.get_string_async ("later")) == "yes");
    assert ((yield store.remove_async ("later")) == Dsq.Answer.YES);
    string[] keys = yield store.list_keys_async ("", null, 10);
    assert (string.joinv (",", keys) == "a,b");
    string[] tables = yield store.list_tables_async ();
    assert (tables.length == 0);
    string[] problems = yield store.check_async ();
    assert (problems.length == 0);
}

void use_dict (Dsq.Store store) throws Error {
    store["a"] = new Variant.int64 (int64.MAX);
    store["b"] = new Variant.string ("text");
    store["a"] = new Variant.int64 (int64.MIN);
    assert (store["a"].get_int64 () == int64.MIN);
    assert (store["none"] == null);
    assert ("a" in store && !("none" in store));
    assert (store.has_key ("b") && !store.has_key ("none", new Cancellable ()));

    var seen = "";
    foreach (var key in store)
        seen += @"$key=$(store[key].print (false)) ";
    assert (seen == "a=-9223372036854775808 b='text' ");

    Dsq.Stats stats = store.get_stats ();
    assert (stats.hot_capacity == 1000000 && stats.last_error == null && !stats.encrypted);

    var failed = false;
    try {
        store.get_string ("a");
    } catch (Dsq.Error.WRONG_TYPE error) {
        failed = error.message.has_prefix ("'a': ");
    }
    assert (failed);
    store.close ();
    failed = false;
    try {
        store["a"] = new Variant.boolean (true);
    } catch (Dsq.Error.CLOSED error) {
        failed = true;
    }
    assert (failed);
}

int run () throws Error {
    var folder = DirUtils.make_tmp ("dsq-vala-XXXXXX");
    var path = Path.build_filename (folder, "store.db");
    var loop = new MainLoop ();
    var status = 1;

    var store = new Dsq.Store.open (path, Dsq.PersistMode.WRITETHROUGH);
    store["a"] = new Variant.int64 (1);
    store["b"] = new Variant.int64 (2);
    use_async.begin (store, (source, result) => {
        try {
            use_async.end (result);
            status = 0;
        } catch (Error error) {
            printerr ("%s\n", error.message);
        }
        loop.quit ();
    });
    loop.run ();
    use_dict (store);
    foreach (var name in new string[] { "store.db", "store.db-wal", "store.db-shm", "store.db-facts" })
        FileUtils.unlink (Path.build_filename (folder, name));
    assert (DirUtils.remove (folder) == 0);
    return status;
}

int main () {
    try {
        return run ();
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 1;
    }
}
