// share.vala - writes one value of each type, and reads those that other languages wrote
// SPDX-License-Identifier: LGPL-2.1-or-later
// share FILE LANGUAGE..., with the password in SHARE_PASSWORD if there is one

const string[] KINDS = { "string", "empty", "bytes", "int", "most", "least", "double", "infinity",
                         "boolean", "nothing", "list" };

Variant value_of (string kind) {
    switch (kind) {
    case "string":
        return new Variant.string ("ключ");
    case "empty":
        return new Variant.string ("");
    case "bytes":
        return new Variant.from_bytes (VariantType.BYTESTRING, new Bytes ({ 0, 1, 255 }), true);
    case "int":
        return new Variant.int64 (-7);
    case "most":
        return new Variant.int64 (int64.MAX);
    case "least":
        return new Variant.int64 (int64.MIN);
    case "double":
        return new Variant.double (1.5);
    case "infinity":
        return new Variant.double (double.INFINITY);
    case "boolean":
        return new Variant.boolean (true);
    case "nothing":
        return new Variant.maybe (VariantType.VARIANT, null);
    default:
        return new Variant.strv ({ "a", "b" });
    }
}

int main (string[] args) {
    try {
        var store = (Dsq.Store) Initable.@new (typeof (Dsq.Store), null, "path", args[1],
                                               "password", Environment.get_variable ("SHARE_PASSWORD"));
        foreach (var language in args[2:args.length])
            foreach (var kind in KINDS)
                stdout.printf ("%s %s: %s\n", language, kind, store[@"$language $kind"].print (false));
        foreach (var kind in KINDS)
            store[@"vala $kind"] = value_of (kind);
        store.close ();
        return 0;
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 1;
    }
}
