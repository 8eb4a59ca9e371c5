// test-verbs.vala - every verb from Vala, by itself and from a coroutine
// SPDX-License-Identifier: LGPL-2.1-or-later

string shown (Variant? value) {
    return value == null ? "nothing" : value.print (false);
}

string walked (Dsq.Store store) throws Error {
    var seen = "";
    foreach (var key in store)
        seen += @"$key=$(shown (store[key])) ";
    return seen;
}

Variant entries () {
    var builder = new VariantBuilder (new VariantType ("a{sv}"));
    builder.add ("{sv}", "k1", new Variant.boolean (true));
    builder.add ("{sv}", "k2", new Variant.double (1.5));
    builder.add ("{sv}", "z", new Variant.string ("last"));
    return builder.end ();
}

Variant changes () {
    var builder = new VariantBuilder (new VariantType ("a{smv}"));
    builder.add ("{smv}", "k1", null);
    builder.add ("{smv}", "new", new Variant.string ("set"));
    return builder.end ();
}

// Each is called again after a conflict, and what is thrown in it leaves all as it was.
void use_delegates (Dsq.Store store) throws Error {
    var calls = 0;

    store.transact ((inside) => {
        var n = inside["n"].get_int64 ();
        if (calls++ < 2)
            store["n"] = new Variant.int64 (n + 1);
        inside["double"] = new Variant.int64 (n * 2);
    });
    assert (calls == 3 && shown (store["n"]) == "44" && shown (store["double"]) == "88");
    calls = 0;
    try {
        store.transact ((inside) => {
            store["n"] = new Variant.int64 (inside["n"].get_int64 () + 1);
            inside["double"] = new Variant.int64 (calls++);
        }, 1);
        assert_not_reached ();
    } catch (Dsq.Error.CONFLICT error) {
        assert (calls == 2 && shown (store["double"]) == "88");
    }
    Dsq.Transaction? kept = null;
    try {
        store.transact ((inside) => {
            kept = inside;
            inside["double"] = new Variant.int64 (0);
            throw new IOError.FAILED ("of the work");
        });
        assert_not_reached ();
    } catch (IOError.FAILED error) {
        assert (shown (store["double"]) == "88");
    }
    try {
        kept.get ("double");
        assert_not_reached ();
    } catch (Dsq.Error.CLOSED error) {
    }

    store.set_expiring ("double", new Variant.int64 (1), 60000);
    calls = 0;
    var changed = store.edit ("double", (value) => {
        if (calls++ == 0)
            store.set_expiring ("double", new Variant.int64 (5), 60000);
        return new Variant.int64 (value.get_int64 () * 10);
    });
    assert (calls == 2 && shown (changed) == "50" && shown (store["double"]) == "50");
    assert (store.get_expiry ("double") > 50000 && store.get_expiry ("double") <= 60000);
    try {
        store.edit ("double", (value) => {
            throw new IOError.FAILED ("of the change");
        });
        assert_not_reached ();
    } catch (IOError.FAILED error) {
        assert (shown (store["double"]) == "50");
    }
    assert (store.edit ("double", (value) => null) == null && !("double" in store));
    store.edit ("double", (value) => new Variant.boolean (value == null));
    assert (shown (store["double"]) == "true" && store.get_expiry ("double") == Dsq.NEVER);

    calls = 0;
    for (var i = 0; i < 2; i++)
        assert (store.memoize ("double/2", () => new Variant.int64 (++calls), 60000).get_int64 () == 1);
    assert (calls == 1 && store.get_expiry ("double/2") > 50000);
    try {
        store.memoize ("none", () => {
            throw new IOError.FAILED ("of the computing");
        });
        assert_not_reached ();
    } catch (IOError.FAILED error) {
        assert (!("none" in store));
    }
    assert (store.delete_prefix ("double") == 2);
    store["n"] = new Variant.int64 (42);
}

void use (Dsq.Store store, string path) throws Error {
    int64 sum;

    store.clear ();
    assert (store.add ("a", new Variant.int64 (1)) && !store.add ("a", new Variant.int64 (2)));
    assert (store.compare_and_set ("a", new Variant.int64 (1), new Variant.int64 (3)) == Dsq.Answer.YES);
    assert (store.compare_and_set ("a", new Variant.int64 (1), null) == Dsq.Answer.NO);
    store.increment ("n", 2, 40, out sum);
    assert (sum == 42 && shown (store["n"]) == "42");
    store.set_many (entries ());
    assert (walked (store) == "a=3 n=42 k1=true k2=1.5 z='last' ");
    assert (store.get_many ({ "a", "none", "z" }).n_children () == 2);
    assert (string.joinv (" ", store.list_keys ("k", null, 10)) == "k1 k2");
    assert (string.joinv (" ", store.list_keys ("", "k1", 2)) == "k2 n");
    assert (store.apply (null, changes ()) == Dsq.Answer.YES && store.count () == 5);
    assert (store.delete_prefix ("k") == 1 && store.delete_many ({ "a", "none", "a" }) == 1);
    assert (walked (store) == "n=42 z='last' new='set' ");
    assert (shown (store.steal ("z")) == "'last'" && shown (store.steal ("z")) == "nothing");
    assert (store.remove ("new") == Dsq.Answer.YES && store.remove ("new") == Dsq.Answer.NO);

    store.set_expiring ("e", new Variant.string ("soon"), 60000);
    assert (store.get_expiry ("e") > 50000 && store.get_expiry ("n") == Dsq.NEVER);
    assert (store.touch ("e", 0) == Dsq.Answer.YES && store["e"] == null && store.expire () == 0);

    assert (shown (store.setdefault ("d", new Variant.int64 (1))) == "1");
    assert (shown (store.setdefault ("d", new Variant.int64 (2))) == "1");
    Variant? popped;
    assert (store.popitem (out popped) == "d" && shown (popped) == "1" && !("d" in store));
    use_delegates (store);

    var transaction = store.begin ();
    transaction["n"] = new Variant.int64 (0);
    transaction.rollback ();
    transaction = store.begin ();
    assert (shown (transaction["n"]) == "42");
    transaction["inside"] = new Variant.boolean (true);
    transaction.commit ();
    assert ("inside" in store && shown (store["n"]) == "42");

    var table = store.get_table ("t");
    assert (table.add ("a", new Variant.string ("of the table")) && !("a" in store));
    assert (string.joinv (" ", store.list_tables ()) == "t");
    assert (store.drop_table ("t") == Dsq.Answer.YES && store.drop_table ("t") == Dsq.Answer.NO);
    store.flush ();
    assert (store.check ().length == 0 && !store.get_stats ().encrypted);
    if (path != ":memory:") {
        store.copy (path + ".copy", Dsq.CopyForm.SAME, null);
        var copy = new Dsq.Store.open (path + ".copy", Dsq.PersistMode.LAZY);
        assert (walked (copy) == walked (store));
        copy.close ();
    }
}

async void use_async (Dsq.Store store) throws Error {
    int64 sum;

    yield store.clear_async ();
    assert ((yield store.compare_and_set_async ("a", null, new Variant.int64 (1))) == Dsq.Answer.YES);
    assert ((yield store.compare_and_set_async ("a", null, new Variant.int64 (2))) == Dsq.Answer.NO);
    yield store.increment_async ("n", 2, 40, null, out sum);
    assert (sum == 42);
    yield store.set_many_async (entries ());
    assert (walked (store) == "a=1 n=42 k1=true k2=1.5 z='last' ");
    string[] keys = yield store.list_keys_async ("k", null, 10);
    assert (string.joinv (" ", keys) == "k1 k2");
    assert ((yield store.get_many_async ({ "a", "none" })).n_children () == 1);
    assert ((yield store.apply_async (null, changes ())) == Dsq.Answer.YES);
    assert ((yield store.count_async ()) == 5);
    assert (shown (yield store.steal_async ("z")) == "'last'");
    assert ((yield store.remove_async ("new")) == Dsq.Answer.YES);
    assert ((yield store.contains_async ("new")) == Dsq.Answer.NO);
    yield store.set_expiring_async ("e", new Variant.string ("soon"), 60000);
    assert ((yield store.get_expiry_async ("e")) > 50000);
    assert ((yield store.touch_async ("e", 0)) == Dsq.Answer.YES);
    assert ((yield store.expire_async ()) == 0);
    var transaction = store.begin ();
    yield transaction.set_async ("inside", new Variant.boolean (true));
    yield transaction.commit_async ();
    assert ("inside" in store);
    var table = yield store.get_table_async ("t");
    yield table.set_async ("a", new Variant.int64 (1));
    string[] tables = yield store.list_tables_async ();
    assert (string.joinv (" ", tables) == "t");
    assert ((yield store.drop_table_async ("t")) == Dsq.Answer.YES);
    yield store.flush_async ();
    string[] problems = yield store.check_async ();
    assert (problems.length == 0);
    yield store.close_async ();
}

void use_both (string path, Dsq.PersistMode mode) throws Error {
    var loop = new MainLoop ();
    var store = new Dsq.Store.open (path, mode);
    Error? failure = null;

    use (store, path);
    use_async.begin (store, (source, result) => {
        try {
            use_async.end (result);
        } catch (Error error) {
            failure = error;
        }
        loop.quit ();
    });
    loop.run ();
    if (failure != null)
        throw failure;
    assert (store.is_closed ());
}

int main () {
    try {
        var folder = DirUtils.make_tmp ("dsq-vala-XXXXXX");
        use_both (":memory:", Dsq.PersistMode.MEMORY);
        use_both (Path.build_filename (folder, "lazy.db"), Dsq.PersistMode.LAZY);
        use_both (Path.build_filename (folder, "through.db"), Dsq.PersistMode.WRITETHROUGH);
        var left = Dir.open (folder);
        for (unowned string? name; (name = left.read_name ()) != null;)
            FileUtils.unlink (Path.build_filename (folder, name));
        assert (DirUtils.remove (folder) == 0);
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 1;
    }
    return 0;
}
