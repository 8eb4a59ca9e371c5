// share.vala - writes one value of each type, and reads those that other languages wrote
// SPDX-License-Identifier: LGPL-2.1-or-later
// share FILE LANGUAGE...

async void write_values (Dsq.Store store) throws Error {
    yield store.set_string_async ("vala string", "ключ", null);
    var bytes = new Bytes ({ 0, 1, 255 });
    yield store.set_async ("vala bytes", new Variant.from_bytes (VariantType.BYTESTRING, bytes, true), null);
    yield store.set_async ("vala int", new Variant.int64 (-7), null);
    yield store.set_async ("vala double", new Variant.double (1.5), null);
    yield store.set_async ("vala boolean", new Variant.boolean (true), null);
    yield store.set_async ("vala list", new Variant.strv ({ "a", "b" }), null);
}

async void read_values (Dsq.Store store, string language) throws Error {
    var text = yield store.get_string_async (@"$language string", null);
    var bytes = (yield store.get_async (@"$language bytes", null)).get_data_as_bytes ();
    var number = yield store.get_async (@"$language int", null);
    var real = yield store.get_async (@"$language double", null);
    var truth = yield store.get_async (@"$language boolean", null);

    stdout.printf ("%s %s, %d %d %d, %s, %.1f, %s", language, text, bytes[0], bytes[1], bytes[2],
                   number.get_int64 ().to_string (), real.get_double (),
                   truth.get_boolean ().to_string ());
    // Python's lists are pickles, which no other language reads
    if (language != "python") {
        var list = yield store.get_async (@"$language list", null);
        stdout.printf (", %s", string.joinv (" ", list.get_strv ()));
    }
    stdout.printf ("\n");
}

async void share_all (string path, string[] languages) throws Error {
    var store = yield new Dsq.Store (path, Dsq.PersistMode.LAZY, null);
    foreach (var language in languages)
        yield read_values (store, language);
    yield write_values (store);
    yield store.close_async (null);
}

int main (string[] args) {
    var loop = new MainLoop ();
    var status = 1;
    share_all.begin (args[1], args[2:args.length], (source, result) => {
        try {
            share_all.end (result);
            status = 0;
        } catch (Error error) {
            printerr ("%s\n", error.message);
        }
        loop.quit ();
    });
    loop.run ();
    return status;
}
