// test-verbs.js - every verb from gjs, as a call that waits and as a promise, to one end
// SPDX-License-Identifier: LGPL-2.1-or-later
imports.gi.versions.Dsq = '1.0';
const {Dsq, Gio, GLib} = imports.gi;

function assert(condition, what) {
    if (!condition)
        throw new Error(`not so: ${what}`);
}

function same(found, expected, what) {
    const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
    assert(a === b, `${what}: ${a} is ${b}`);
}

async function collect(iterable) {
    const all = [];
    for await (const item of iterable)
        all.push(item);
    return all;
}

// `call` is call(name, ...) of either kind, on the store or a part of it.
async function testVerbs(store, suffix) {
    const on = object => (name, ...args) => object[`${name}${suffix}`](...args);
    const call = on(store);

    await call('clear', null);
    same(await call('add', 'a', 1), true, 'it was missing');
    same(await call('add', 'a', 2), false, 'it was there');
    same(await call('setdefault', 'a', 3), 1, 'what it is');
    same(await call('setdefault', 'b', 'x'), 'x', 'what it becomes');
    same(await call('edit', 'n', value => value + 1, 41), 42, 'from what stands for it');
    same(await call('edit', 'n', value => value + 1), 43, 'from what it was');
    await call('update', {k1: true, k2: null});
    await call('update', new Map([['k3', 1.5]]));
    await call('update', [['ключ', 'v'], ['k1', false]]);
    same([...store].map(([key]) => key), ['a', 'b', 'n', 'k1', 'k2', 'k3', 'ключ'], 'in order');
    same(await collect(call('iter_prefix', 'k')), ['k1', 'k2', 'k3'], 'those with the prefix');
    same(await collect(call('iter_from', 'k2')), ['k2', 'k3', 'n', 'ключ'], 'from a key that is there');
    same(await collect(call('iter_from', 'k20')), ['k3', 'n', 'ключ'], 'from one that is not');
    same(await call('delete_many', ['a', 'none', 'a', 'k1']), 2, 'those that were there');
    same(await call('delete_prefix', 'k'), 2, 'those that are left');
    same(await call('pop', 'b'), 'x', 'what it was');
    same([await call('pop', 'b', 7), await call('pop', 'b')], [7, null], 'it is gone');
    same(await call('get_with_expiry', 'n'), [43, null], 'for good');
    same(await call('get_with_expiry', 'none'), undefined, 'it is missing');
    await call('set_expiring', 'e', new GLib.Variant('s', 'soon'), 60000, null);
    const [value, left] = await call('get_with_expiry', 'e');
    assert(value === 'soon' && left > 50000 && left <= 60000, 'it has that long');
    assert(await call('touch', 'e', 0, null), 'it was there');
    same(await call('pop', 'e', 'none'), 'none', 'its time has come');

    let tries = 0;
    const move = async inside => {
        const had = inside.get_value('n');
        if (tries++ === 0)
            store.set_value('n', 100);
        inside.set_value('n', had + 1);
        return had;
    };
    const plain = inside => {
        inside.set_value('n', inside.get_value('n') + 1);
        return 'done';
    };
    if (suffix === '')
        same(call('transact', plain), 'done', 'written');
    else
        same(await call('transact', move), 100, 'again after a conflict');
    same(store.get_value('n'), suffix === '' ? 44 : 101, 'once');
    let error = null;
    try {
        await call('transact', inside => {
            inside.set_value('n', 0);
            throw new RangeError('taken back');
        });
    } catch (caught) {
        error = caught;
    }
    assert(error instanceof RangeError && store.get_value('n') > 0, 'nothing was written');
    error = null;
    try {
        await call('delete_many', ['a\0b']);
    } catch (caught) {
        error = caught;
    }
    assert(error instanceof TypeError, 'no key is cut');

    const table = await call('get_table', 't', null);
    same(await on(table)('add', 'a', 1), true, 'a table has them, too');
    same((await call('list_tables', null)).join(), 't', 'it is there');
    same(await call('expire', null), 0, 'nothing has expired');
    same((await call('check', null)).length, 0, 'it is sound');
    await call('flush', null);
    assert(await call('drop_table', 't', null), 'it was there');
}

async function testMemoize(store) {
    let count = 0;
    const square = store.memoize('square', number => {
        count++;
        return number * number;
    });
    same([await square(3), await square(3), await square(4), count], [9, 9, 16, 2], 'computed once');
}

async function main(folder) {
    for (const [name, mode, password] of [
        [':memory:', Dsq.PersistMode.MEMORY, null], ['lazy.db', Dsq.PersistMode.LAZY, null],
        ['through.db', Dsq.PersistMode.WRITETHROUGH, null],
        ['sealed.db', Dsq.PersistMode.LAZY, 'correct horse'],
    ]) {
        const path = name === ':memory:' ? name : GLib.build_filenamev([folder, name]);
        const store = new Dsq.Store({path, persist_mode: mode, password});
        store.init(null);
        await testVerbs(store, '');
        await testVerbs(store, '_async');
        await testMemoize(store);
        if (name !== ':memory:') {
            const copy = `${path}.copy`;
            await store.copy_async(copy, Dsq.CopyForm.SAME, null, null, null);
            assert(GLib.file_test(copy, GLib.FileTest.EXISTS), 'a copy is there');
        }
        await store.close_async(null);
    }
}

const folder = GLib.Dir.make_tmp('dsq-gjs-XXXXXX');
const loop = new GLib.MainLoop(null, false);
let status = 0;
main(folder).catch(error => {
    printerr(`${error}\n${error.stack}`);
    status = 1;
}).finally(() => loop.quit());
loop.run();
const children = Gio.File.new_for_path(folder).enumerate_children('standard::name', 0, null);
for (const child of children)
    GLib.unlink(GLib.build_filenamev([folder, child.get_name()]));
GLib.rmdir(folder);
imports.system.exit(status);
