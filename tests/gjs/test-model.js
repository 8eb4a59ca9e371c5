// test-model.js - a store's entries as a list, from gjs
// SPDX-License-Identifier: LGPL-2.1-or-later
imports.gi.versions.Dsq = '1.0';
const {Dsq, Gio, GLib} = imports.gi;

const context = GLib.MainContext.default();

function assert(condition, what) {
    if (!condition)
        throw new Error(`not so: ${what}`);
}

function settle(what) {
    while (context.iteration(false))
        ;
    while (what.loading)
        context.iteration(true);
}

function shown(model) {
    const items = [];
    for (let i = 0; i < model.get_n_items(); i++)
        items.push(model.get_item(i));
    settle(model);
    return items.map(item => `${item.key}=${item.value.deepUnpack()}`).join(' ');
}

const store = Dsq.Store.open(':memory:', Dsq.PersistMode.MEMORY, null);
for (const [key, value] of [['b', 1], ['ключ', 2], ['a', 3]])
    store.set_value(key, value);
const model = Dsq.KeyModel.new(store, null, false);
const sorted = new Dsq.KeyModel({store, by_key: true});
const changes = [];

assert(model instanceof Gio.ListModel && model.get_item_type() === Dsq.Item.$gtype, 'it is a list');
assert(model.get_n_items() === 0, 'nothing is waited for');
settle(model);
settle(sorted);
assert(shown(model) === 'b=1 ключ=2 a=3', 'in the order of insertion');
assert(shown(sorted) === 'a=3 b=1 ключ=2', 'by key');

model.connect('items-changed', (_, ...change) => changes.push(change.join('/')));
store.remove('ключ', null);
store.set_value('b', 5);
store.set_value('new', 4);
settle(model);
assert(changes.join(' ') === '1/1/0 2/0/1', `each change: ${changes}`);
assert(shown(model) === 'b=5 a=3 new=4', 'what has changed');

model.prefix = 'n';
settle(model);
assert(shown(model) === 'new=4', 'with another prefix');
model.run_dispose();
sorted.run_dispose();
store.close(null);
