// test-async.vala - the async calls from Vala
// SPDX-License-Identifier: LGPL-2.1-or-later

async void use_entries (Dsq.Store store) throws Error {
    assert (yield store.set_async ("number", new Variant.int64 (7), null));
    var number = yield store.get_async ("number", null);
    assert (number.get_int64 () == 7);
    assert ((yield store.get_async ("none", null)) == null);
    yield store.set_string_async ("text", "ключ", null);
    assert ((yield store.get_string_async ("text", null)) == "ключ");
    yield store.set_async ("bytes", new Variant.from_bytes (VariantType.BYTESTRING, new Bytes ({ 1, 0, 2 }), true), null);
    assert ((yield store.get_async ("bytes", null)).get_size () == 3);
    assert ((yield store.compare_and_set_async ("text", null, new Variant.string ("x"), null)) == Dsq.Answer.NO);
    assert ((yield store.contains_async ("text", null)) == Dsq.Answer.YES);
    var stolen = yield store.steal_async ("text", null);
    assert (stolen.get_string () == "ключ");
    assert ((yield store.remove_async ("text", null)) == Dsq.Answer.NO);
}

async void use_many (Dsq.Store store) throws Error {
    yield store.clear_async (null);
    for (var i = 0; i < 100; i++)
        yield store.set_string_async (@"key $i", @"of key $i", null);
    assert ((yield store.count_async (null)) == 100);
    var found = yield store.get_many_async ({ "key 1", "key 2", "none" }, null);
    assert (found.n_children () == 2);
    assert ((yield store.remove_async ("key 1", null)) == Dsq.Answer.YES);
    var keys = yield store.list_keys_async ("key 1", "key 10", 2, null);
    assert (keys.length == 2 && keys[0] == "key 11" && keys[1] == "key 12");
    var cursor = store.walk (Dsq.WalkOrder.FORWARD);
    var page = yield cursor.next_many_async (2, null);
    assert (page.n_children () == 2);
    string key;
    Variant? value;
    page.get_child (0, "(smv)", out key, out value);
    assert (key == "key 0" && value.get_string () == "of key 0");
}

async void use_counting (Dsq.Store store) throws Error {
    int64 sum;
    assert (yield store.increment_async ("n", 2, 40, null, out sum));
    assert (sum == 42);
    assert ((yield store.compare_and_set_async ("n", new Variant.int64 (42), null, null)) == Dsq.Answer.YES);
    assert ((yield store.contains_async ("n", null)) == Dsq.Answer.NO);
}

async void use_transactions (Dsq.Store store) throws Error {
    yield store.set_string_async ("a", "1", null);
    var transaction = store.begin ();
    var table = yield transaction.get_table_async ("table", null);
    assert ((yield transaction.get_string_async ("a", null)) == "1");
    yield transaction.set_string_async ("a", "2", null);
    yield table.set_string_async ("a", "of the table", null);
    assert ((yield store.get_string_async ("a", null)) == "1");
    assert (yield transaction.commit_async (null));
    assert ((yield store.get_string_async ("a", null)) == "2");
    assert (store.get_table ("table", null).get_string ("a", null) == "of the table");

    var late = store.begin ();
    late.get_string ("a", null);
    late.set_string ("a", "4", null);
    store.set_string ("a", "3", null);
    try {
        yield late.commit_async (null);
        assert_not_reached ();
    } catch (Dsq.Error.CONFLICT error) {
    }

    var forgotten = store.begin ();
    forgotten.set_string ("a", "5", null);
    forgotten.rollback ();
    assert (forgotten.is_closed () && store.get_string ("a", null) == "3");
}

async void use_wrongly (Dsq.Store store) throws Error {
    yield store.set_async ("number", new Variant.int64 (7), null);
    try {
        yield store.get_string_async ("number", null);
        assert_not_reached ();
    } catch (Dsq.Error.WRONG_TYPE error) {
    }
    var cancellable = new Cancellable ();
    cancellable.cancel ();
    try {
        yield store.get_async ("number", cancellable);
        assert_not_reached ();
    } catch (IOError.CANCELLED error) {
    }
}

async void use (string path, Dsq.PersistMode mode) throws Error {
    var store = yield new Dsq.Store (path, mode, null);
    yield use_entries (store);
    yield use_many (store);
    yield use_counting (store);
    yield use_transactions (store);
    yield use_wrongly (store);
    yield store.flush_async (null);
    yield store.close_async (null);
    assert (store.is_closed ());
    store = yield new Dsq.Store (path, mode, null);
    assert ((yield store.get_string_async ("key 7", null)) == "of key 7");
    yield store.close_async (null);
}

async void use_all (string path) throws Error {
    yield use (path, Dsq.PersistMode.LAZY);
    yield use (path, Dsq.PersistMode.WRITETHROUGH);
}

int main (string[] args) {
    var loop = new MainLoop ();
    var status = 1;
    try {
        var folder = DirUtils.make_tmp ("dsq-vala-XXXXXX");
        var path = Path.build_filename (folder, "store.db");
        use_all.begin (path, (source, result) => {
            try {
                use_all.end (result);
                status = 0;
            } catch (Error error) {
                printerr ("%s\n", error.message);
            }
            loop.quit ();
        });
        loop.run ();
        FileUtils.unlink (path);
        DirUtils.remove (folder);
    } catch (Error error) {
        printerr ("%s\n", error.message);
    }
    return status;
}
