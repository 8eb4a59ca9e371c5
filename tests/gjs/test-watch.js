// test-watch.js - being told from gjs what changes
// SPDX-License-Identifier: LGPL-2.1-or-later
imports.gi.versions.Dsq = '1.0';
const {Dsq, GLib} = imports.gi;

const folder = GLib.Dir.make_tmp('dsq-gjs-XXXXXX');
const path = GLib.build_filenamev([folder, 'store.db']);
const context = GLib.MainContext.default();

function assert(condition, what) {
    if (!condition)
        throw new Error(`not so: ${what}`);
}

function listen(store, prefix) {
    const heard = [];
    const watch = store.watch(prefix);

    watch.connect('changed', (_, keys) => heard.push(keys?.length ? keys.join(' ') : '*'));
    return [watch, heard];
}

function hear(heard) {
    heard.length = 0;
    while (context.iteration(false))
        ;
    return heard.join(';');
}

const store = Dsq.Store.open(path, Dsq.PersistMode.WRITETHROUGH, null);
const other = Dsq.Store.open(path, Dsq.PersistMode.WRITETHROUGH, null);
const [watch, heard] = listen(store, 'ключ');

store.set_string('other', 'v', null);
store.set_string('ключ 1', 'v', null);
store.set_string('ключ 2', 'v', null);
store.set_string('ключ 1', 'w', null);
assert(hear(heard) === 'ключ 1 ключ 2', 'each key once');
store.clear(null);
assert(hear(heard) === '*', 'all of them');

other.set_string('ключ 3', 'of another store', null);
while (heard.length === 0 || !['ключ 3', '*'].includes(heard[heard.length - 1]))
    context.iteration(true);
assert(store.get_string('ключ 3', null) === 'of another store', 'what is told can be read');

watch.run_dispose();
store.set_string('ключ 1', 'x', null);
assert(hear(heard) === '', 'it has ended');

const [, last] = listen(store, null);
store.set_string('k', 'v', null);
store.close(null);
other.close(null);
assert(hear(last) === '', 'nothing comes after a close');

for (const suffix of ['', '-wal', '-shm', '-facts'])
    GLib.unlink(`${path}${suffix}`);
GLib.rmdir(folder);
