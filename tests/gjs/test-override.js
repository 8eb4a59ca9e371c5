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
        () => store.set_string('\ud800', 'x', null),
        () => store.set_value('a', 'x\udc00y'),
        () => store.update(new Map([['x\udfff', 1]])),
        () => Dsq.Store.open('a\0b', Dsq.PersistMode.LAZY, null),
        () => new Dsq.Store({path: ':memory:', password: 'correct\0horse'}),
        () => store.copy('copy.db', Dsq.CopyForm.SAME, 'a\0b', null, null),
    ];
    for (const call of calls)
        assert(thrownBy(call) instanceof TypeError, `${call} is refused`);
    const error = await store.set_string_async('a', 'x\0y', null).catch(caught => caught);
    assert(error instanceof TypeError, 'a promise is refused, too');
    assert(!store.contains('a', null), 'nothing was stored');
}

// What JavaScript would make something else of is refused, and nothing is changed.
async function testOddInput(store) {
    const odd = {
        undefined: undefined, null: null, object: {}, array: [1], symbol: Symbol('x'), number: 5,
        nan: NaN, bigint: 2n ** 70n, boxed: new String('x'), func: () => 1, bytes: new Uint8Array([97]),
    };
    store.clear(null);
    store.set_value('k', 'as it was');
    for (const [kind, what] of Object.entries(odd)) {
        for (const name of ['get_value', 'pop', 'get_with_expiry', 'delete_prefix'])
            thrownBy(() => store[name](what));
        for (const name of ['set_value', 'add', 'setdefault', 'edit'])
            thrownBy(() => store[name](what, name === 'edit' ? () => 1 : 1));
        for (const milliseconds of [what, 1.5, Infinity]) {
            if (!Number.isInteger(milliseconds)) {
                const error = thrownBy(() => store.touch('k', milliseconds, null));
                assert(error instanceof TypeError || kind === 'bigint', `no time: ${kind}`);
                thrownBy(() => store.set_expiring('k', new GLib.Variant('x', 1), milliseconds, null));
                thrownBy(() => store.increment('n', milliseconds, 0, null));
            }
        }
        if (kind !== 'object') {
            thrownBy(() => store.update(what));
            thrownBy(() => store.update([[what, 1]]));
        }
        if (kind !== 'func')
            thrownBy(() => store.transact(what));
        if (kind !== 'boxed')
            thrownBy(() => store.delete_many(what));
        const error = await store.set_string_async('k', what, null).catch(caught => caught);
        assert(error instanceof Error, `${kind} is no string`);
    }
    for (const what of [undefined, {}, [1], Symbol('x'), 2n ** 70n, () => 1, new Map(), Promise.resolve(1)])
        thrownBy(() => store.set_value('k', what));
    thrownBy(() => store.delete_many('k'));
    thrownBy(() => store.set_value('k'));
    thrownBy(() => store.set_string('k', null));
    assert([...store].join() === 'k,as it was', 'nothing has changed');

    // a call that waits has no time for a promise
    let rest = null;
    const error = thrownBy(() => store.transact(inside => {
        inside.set_value('k', 'too soon');
        rest = Promise.resolve();
        return rest;
    }));
    assert(error instanceof TypeError && store.get_value('k') === 'as it was', 'taken back');
    thrownBy(() => store.edit('k', () => Promise.resolve(1)));
    assert(await store.transact_async(async inside => {
        await rest;
        inside.set_value('k', 'waited for');
        return 7;
    }) === 7 && store.get_value('k') === 'waited for', 'by the call for it');
}

async function testOrderAndTimes(store) {
    store.clear(null);
    store.update(new Map([['b', 1], ['10', 2], ['9', 3], ['b', 4]]));
    assert([...store].join(' ') === 'b,4 10,2 9,3', `the order of a Map: ${[...store].join(' ')}`);
    assert(store.get_expiry('b', null) === Dsq.NEVER, 'a Number holds that');
    assert(await store.get_expiry_async('b', null) === Dsq.NEVER, 'so it is without waiting');
    assert(Number.isSafeInteger(Dsq.NEVER), 'exactly');
    assert(store.touch('b', Dsq.NEVER, null) === Dsq.Answer.YES, 'it was there');
    assert(store.touch('9', Dsq.NEVER - 1, null) === Dsq.Answer.YES, 'it was there, too');
    const [, left] = store.get_with_expiry('9');
    assert(left < Dsq.NEVER && left > Dsq.NEVER - 60000, 'a long time');
    assert(store.get_with_expiry('b')[1] === null, 'for good');
}

async function testMemoizeTellsApart(store) {
    let count = 0;
    const call = store.memoize('call', async () => ++count);
    assert(await call(null) === 1 && await call([null]) === 2 && await call(null) === 1, 'kept');
    for (const what of [NaN, undefined, Infinity, Symbol('x'), new Map(), [() => 1], {a: undefined}, 1n]) {
        const error = await call(what).catch(caught => caught);
        assert(error instanceof TypeError, `not as null: ${String(what)}`);
    }
    assert(thrownBy(() => store.memoize('name')) instanceof TypeError, 'no function');
    assert(thrownBy(() => store.memoize(undefined, () => 1)) instanceof TypeError, 'no name');
}

async function main() {
    const store = await Dsq.Store.open_async(':memory:', Dsq.PersistMode.MEMORY, null);
    testPlainValues(store);
    await testWalks(store);
    await testStrings(store);
    await testOddInput(store);
    await testOrderAndTimes(store);
    await testMemoizeTellsApart(store);
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
