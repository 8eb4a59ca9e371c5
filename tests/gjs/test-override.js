// test-override.js - what the override adds: promises, for-of, plain values, no string that is cut
// SPDX-License-Identifier: LGPL-2.1-or-later
imports.gi.versions.Dsq = '1.0';
const {Dsq, GLib} = imports.gi;

function assert(condition, what) {
    if (!condition)
        throw new Error(`not so: ${what}`);
}

function thrownBy(call) {
    try {
        call();
    } catch (error) {
        return error;
    }
    throw new Error('it should have thrown');
}

function same(a, b) {
    if (a instanceof Uint8Array)
        return b instanceof Uint8Array && a.join() === b.join();
    return Object.is(a, b);
}

const VALUES = {
    text: 'ключ', empty: '', yes: true, no: false, nothing: null,
    small: -7, safe: Number.MAX_SAFE_INTEGER, most: 9223372036854775807n, least: -9223372036854775808n,
    real: 1.5, minus: -0, large: 2 ** 60 + 0.0, nan: NaN,
    bytes: new Uint8Array([0, 1, 255]), none: new Uint8Array([]),
};

function testPlainValues(store) {
    for (const [key, value] of Object.entries(VALUES))
        store.set_value(key, value);
    for (const [key, value] of Object.entries(VALUES))
        assert(same(store.get_value(key), value), `${key} is as it was`);
    assert(store.get_value('missing') === undefined, 'what is missing is undefined');
    assert(store.get('most', null).print(false) === '9223372036854775807', 'of 64 bits');
    assert(store.get('small', null).get_type_string() === 'x', 'an integer for all languages');
    assert(thrownBy(() => store.set_value('k', 2n ** 63n)) instanceof RangeError, 'too large');
    assert(thrownBy(() => store.set_value('k', {})) instanceof TypeError, 'no plain value');
    store.set_value('list', new GLib.Variant('as', ['a', 'b']));
    assert(store.get_value('list').join() === 'a,b', 'a variant is unpacked');
    store.remove('list', null);
}

async function testWalks(store) {
    const keys = Object.keys(VALUES);
    let seen = [...store];
    assert(seen.length === keys.length, 'all are there');
    assert(seen.every(([key, value], i) => key === keys[i] && same(value, VALUES[key])), 'in order');
    seen = [];
    for await (const [key] of store)
        seen.push(key);
    assert(seen.join() === keys.join(), 'so it is without waiting');
    store.clear(null);
    for (let i = 0; i < 1000; i++)
        store.set_value(`key ${i}`, i);
    assert([...store].every(([key, value], i) => key === `key ${i}` && value === i), 'of more than a page');
}

async function testStrings(store) {
    const calls = [
        () => store.set_string('a\0b', 'x', null),
        () => store.set_string('a', 'x\0y', null),
        () => store.set_value('a', 'x\0y'),
        () => store.get('a\0b', null),
        () => store.get_many(['b', 'a\0b'], null),
        () => store.list_keys('a\0b', null, 1, null),
        () => store.get_table('a\0b', null),
        () => store.begin().set_string('a\0b', 'x', null),
    ];
    for (const call of calls)
        assert(thrownBy(call) instanceof TypeError, `${call} is refused`);
    const error = await store.set_string_async('a', 'x\0y', null).catch(caught => caught);
    assert(error instanceof TypeError, 'a promise is refused, too');
    assert(!store.contains('a', null), 'nothing was stored');
}

async function main() {
    const store = await Dsq.Store.open_async(':memory:', Dsq.PersistMode.MEMORY, null);
    testPlainValues(store);
    await testWalks(store);
    await testStrings(store);
    const transaction = store.begin();
    await transaction.set_string_async('within', 'yes', null);
    await transaction.commit_async(null);
    assert(await store.get_string_async('within', null) === 'yes', 'without _promisify');
    const stats = store.get_stats();
    assert(stats.hot_capacity === 1000000 && stats.last_error === null, 'its fields can be read');
    await store.close_async(null);
}

const loop = new GLib.MainLoop(null, false);
let status = 0;
main().catch(error => {
    printerr(`${error}\n${error.stack}`);
    status = 1;
}).finally(() => loop.quit());
loop.run();
imports.system.exit(status);
