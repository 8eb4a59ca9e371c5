// test-model.vala - a store's entries as a list, from Vala
// SPDX-License-Identifier: LGPL-2.1-or-later

void settle (Dsq.KeyModel model) {
    while (MainContext.default ().iteration (false));
    while (model.loading)
        MainContext.default ().iteration (true);
}

string shown (Dsq.KeyModel model) {
    Dsq.Item[] items = {};
    string[] texts = {};
    for (uint i = 0; i < model.get_n_items (); i++)
        items += (Dsq.Item) model.get_item (i);
    settle (model);
    foreach (var item in items)
        texts += "%s=%s".printf (item.key, item.value.get_string ());
    return string.joinv (" ", texts);
}

int main () {
    try {
        var store = new Dsq.Store.open (":memory:", Dsq.PersistMode.MEMORY, null);
        store.set_string ("b", "1", null);
        store.set_string ("ключ", "2", null);
        store.set_string ("a", "3", null);
        var model = new Dsq.KeyModel (store, null, false);
        var changes = "";
        ListModel list = model;
        assert (list.get_n_items () == 0);
        settle (model);
        assert (shown (model) == "b=1 ключ=2 a=3");
        list.items_changed.connect ((position, removed, added) => {
            changes += "%u/%u/%u ".printf (position, removed, added);
        });
        store.remove ("ключ", null);
        store.set_string ("new", "4", null);
        settle (model);
        assert (changes == "1/1/0 2/0/1 ");
        assert (shown (model) == "b=1 a=3 new=4");
        model.prefix = "n";
        settle (model);
        assert (shown (model) == "new=4");

        var table = store.get_table ("table", null);
        table.set_string ("t", "5", null);
        var of_table = new Dsq.KeyModel (table, "", true);
        settle (of_table);
        assert (shown (of_table) == "t=5");
        store.close (null);
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return 1;
    }
    return 0;
}
