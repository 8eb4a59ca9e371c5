// test-async.js - the async calls from gjs, promisified, under its main loop
// SPDX-License-Identifier: LGPL-2.1-or-later
imports.gi.versions.Dsq = '1.0';
const {Dsq, Gio, GLib} = imports.gi;

Gio._promisify(Dsq.Store, 'open_async', 'open_finish');
for (const name of [
    'get', 'set', 'contains', 'remove', 'steal', 'get_string', 'set_string',
    'get_many', 'set_many', 'clear', 'count', 'list_keys', 'flush', 'close',
    'increment', 'compare_and_set', 'set_expiring', 'get_expiry', 'touch',
])
    Gio._promisify(Dsq.Store.prototype, `${name}_async`, `${name}_finish`);
Gio._promisify(Dsq.Cursor.prototype, 'next_many_async', 'next_many_finish');
Gio._promisify(Dsq.Transaction.prototype, 'commit_async', 'commit_finish');

function assert(condition, what) {
    if (!condition)
        throw new Error(`not so: ${what}`);
}

async function refusal(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    throw new Error('it should have failed');
}

async function testEntries(store) {
    assert(await store.set_async('number', new GLib.Variant('x', 7), null), 'it is set');
    assert((await store.get_async('number', null)).unpack() === 7, 'it is got');
    assert(await store.get_async('none', null) === null, 'what is missing is null');
    await store.set_string_async('text', 'ключ', null);
    assert(await store.get_string_async('text', null) === 'ключ', 'a string is a string');
    await store.set_async('bytes', new GLib.Variant('ay', new Uint8Array([1, 0, 2])), null);
    assert((await store.get_async('bytes', null)).get_data_as_bytes().get_size() === 3, 'bytes are bytes');
    assert(!await store.compare_and_set_async('text', null, new GLib.Variant('s', 'x'), null), 'it is there');
    assert(await store.contains_async('text', null), 'it is there');
    assert((await store.steal_async('text', null)).unpack() === 'ключ', 'it is taken');
    assert(!await store.remove_async('text', null), 'it is gone');
}

async function testMany(store) {
    await store.clear_async(null);
    const keys = Array.from({length: 200}, (_, i) => `key ${i}`);
    await Promise.all(keys.map(key => store.set_string_async(key, `of ${key}`, null)));
    const values = await Promise.all(keys.map(key => store.get_string_async(key, null)));
    assert(values.every((value, i) => value === `of ${keys[i]}`), 'each has its own');
    assert(await store.count_async(null) === 200, 'all are there');
    await store.set_many_async(new GLib.Variant('a{sv}', {a: new GLib.Variant('b', true)}), null);
    const found = (await store.get_many_async(['a', 'key 1', 'none'], null)).recursiveUnpack();
    assert(Object.keys(found).length === 2 && found.a === true, 'those that exist');
    await store.remove_async('a', null);

    const page = await store.list_keys_async('key 1', 'key 19', 3, null);
    assert(page.join() === 'key 190,key 191,key 192', 'a page of them, in order');

    const cursor = store.walk(Dsq.WalkOrder.FORWARD);
    let count = 0;
    for (;;) {
        const entries = (await cursor.next_many_async(64, null)).recursiveUnpack();
        if (entries.length === 0)
            break;
        assert(entries.every(([key, value]) => value === `of ${key}`), 'each with its own');
        count += entries.length;
    }
    assert(count === 200, 'the walk gives all');
}

async function testCounting(store) {
    const [first] = await store.increment_async('n', 2, 40, null);
    const [second] = await store.increment_async('n', -1, 0, null);
    assert(first === 42 && second === 41, 'both are the sums');
    assert(await store.compare_and_set_async('n', new GLib.Variant('x', 41), null, null), 'it held');
    assert(!await store.contains_async('n', null), 'nothing is what it became');
    await store.set_expiring_async('e', new GLib.Variant('s', 'soon'), 100000, null);
    const left = await store.get_expiry_async('e', null);
    assert(left > 90000 && left <= 100000, 'it has that long');
    assert(await store.touch_async('e', 0, null), 'it was there');
    assert(await store.get_async('e', null) === null, 'its time has come');
}

async function testTransactions(store) {
    await store.set_string_async('a', '1', null);
    const transaction = store.begin();
    const table = transaction.get_table('table', null);
    assert(await transaction.get_string_async('a', null) === '1', 'it reads');
    await transaction.set_string_async('a', '2', null);
    await table.set_string_async('a', 'of the table', null);
    assert(await store.get_string_async('a', null) === '1', 'nobody else sees it');
    assert(await transaction.commit_async(null), 'it is written');
    assert(await store.get_string_async('a', null) === '2', 'now all see it');
    const written = store.get_table('table', null).get_string('a', null);
    assert(written === 'of the table', 'in tables, too');

    const late = store.begin();
    await late.get_string_async('a', null);
    await late.set_string_async('a', '4', null);
    await store.set_string_async('a', '3', null);
    const error = await refusal(late.commit_async(null));
    assert(error.matches(Dsq.Error, Dsq.Error.CONFLICT), 'another wrote what it read');

    const forgotten = store.begin();
    forgotten.set_string('a', '5', null);
    forgotten.rollback();
    assert(forgotten.is_closed() && store.get_string('a', null) === '3', 'taken back');
}

async function testErrors(store, path) {
    await store.set_async('number', new GLib.Variant('x', 7), null);
    let error = await refusal(store.get_string_async('number', null));
    assert(error.matches(Dsq.Error, Dsq.Error.WRONG_TYPE), 'a number is no string');
    error = await refusal(store.set_many_async(new GLib.Variant('a{ss}', {a: 'b'}), null));
    assert(error.matches(Dsq.Error, Dsq.Error.INVALID_ARGUMENT), 'strings are no variants');
    const cancellable = new Gio.Cancellable();
    cancellable.cancel();
    error = await refusal(store.get_async('number', cancellable));
    assert(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED), 'it was cancelled');
    error = await refusal(Dsq.Store.open_async(`${path}/no`, Dsq.PersistMode.LAZY, null));
    assert(error.matches(Dsq.Error, Dsq.Error.NOT_FOUND), 'there is no such folder');
}

async function main(path) {
    for (const mode of [Dsq.PersistMode.LAZY, Dsq.PersistMode.WRITETHROUGH]) {
        let store = await Dsq.Store.open_async(path, mode, null);
        await testEntries(store);
        await testMany(store);
        await testCounting(store);
        await testTransactions(store);
        await testErrors(store, path);
        await store.flush_async(null);
        await store.close_async(null);
        assert(store.is_closed(), 'it is closed');
        const error = await refusal(store.get_async('key', null));
        assert(error.matches(Dsq.Error, Dsq.Error.CLOSED), 'it says so');

        store = await Dsq.Store.open_async(path, mode, null);
        assert(await store.get_string_async('key 7', null) === 'of key 7', 'it is in the file');
        await store.close_async(null);
    }
}

const folder = GLib.Dir.make_tmp('dsq-gjs-XXXXXX');
const path = GLib.build_filenamev([folder, 'store.db']);
const loop = new GLib.MainLoop(null, false);
let failure = null;

main(path).catch(error => {
    failure = error;
}).finally(() => loop.quit());
loop.run();
for (const name of ['store.db', 'store.db-wal', 'store.db-shm'])
    GLib.unlink(GLib.build_filenamev([folder, name]));
GLib.rmdir(folder);
if (failure !== null) {
    printerr(`${failure}\n${failure.stack}`);
    imports.system.exit(1);
}
