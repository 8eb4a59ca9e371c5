// test-bind.vala - properties of Vala's objects that are what keys hold
// SPDX-License-Identifier: LGPL-2.1-or-later

class Settings : Object {
    public bool dark { get; set; }
    public string? name { get; set; default = "nobody"; }
    public uint size { get; set; }
}

int main (string[] args) {
    var context = MainContext.default ();
    try {
        if (args.length > 1) {
            var other = new Dsq.Store.open (args[1], Dsq.PersistMode.WRITETHROUGH);
            other["size"] = new Variant.int64 (77);
            other.close ();
            return 0;
        }
        var folder = DirUtils.make_tmp ("dsq-vala-XXXXXX");
        var path = Path.build_filename (folder, "store.db");
        var store = new Dsq.Store.open (path, Dsq.PersistMode.LAZY);
        var settings = new Settings ();

        store["dark"] = new Variant.boolean (true);
        store.bind ("dark", settings, "dark", Dsq.BindFlags.DEFAULT);
        store.bind ("name", settings, "name", Dsq.BindFlags.DEFAULT);
        store.bind_with_mapping ("size", settings, "size", Dsq.BindFlags.DEFAULT,
                                 (value) => new Variant.int64 (value.get_int64 () * 2),
                                 (value) => new Variant.int64 (value.get_int64 () / 2));
        assert (settings.dark && settings.name == "nobody");
        settings.name = "Алиса";
        settings.size = 10;
        while (!("size" in store))
            context.iteration (true);
        assert (store["size"].get_int64 () == 5);
        assert (store.get_string ("name") == "Алиса");
        try {
            store.bind ("name", settings, "size", Dsq.BindFlags.GET);
            assert_not_reached ();
        } catch (Dsq.Error.WRONG_TYPE error) {
        }
        store.flush ();
        new Subprocess (SubprocessFlags.NONE, args[0], path).wait_check ();
        while (settings.size != 154)
            context.iteration (true);
        Dsq.Store.unbind (settings, "name");
        settings.name = "apart";
        assert (store.get_string ("name") == "Алиса");
        store.close ();
        foreach (var suffix in new string[] {"", "-wal", "-shm", "-facts"})
            FileUtils.unlink (path + suffix);
        DirUtils.remove (folder);
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 1;
    }
    return 0;
}
