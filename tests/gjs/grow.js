// grow.js - calls everything that gives an answer again and again, and tells what is left of it
// SPDX-License-Identifier: LGPL-2.1-or-later
// grow.js FILE ROUNDS: prints by how many KiB the process grew in the second half of the rounds
imports.gi.versions.Dsq = '1.0';
const {Dsq, GLib} = imports.gi;
const System = imports.system;

// Rounds until what is garbage is given back: gjs waits longer the less of it is its own.
const COLLECTED = 1000;

// Made once: gjs 1.74 keeps what each GLib.Variant that a program makes takes.
const NUMBER = new GLib.Variant('x', 41);

function resident() {
    System.gc();
    const [, text] = GLib.file_get_contents('/proc/self/statm');
    return Number(new TextDecoder().decode(text).split(' ')[1]) * 4;
}

function callAll(store, i) {
    const key = `key ${i % 100}`;
    store.set_string(key, 'a value', null);
    store.get_string(key, null);
    store.set(key, NUMBER, null);
    store.get_value(key);
    store.get(key, null);
    try {
        store.get_string(key, null);
    } catch (error) {
        if (!error.matches(Dsq.Error, Dsq.Error.WRONG_TYPE))
            throw error;
    }
    store.get('none', null);
    store.contains(key, null);
    store.get_many([key, 'none'], null);
    store.remove('none', null);
    store.walk(Dsq.WalkOrder.FORWARD).next_many(10, null);
    store.list_keys('key 1', null, 10, null);
    store.get_stats();
}

const store = Dsq.Store.open(ARGV[0], Dsq.PersistMode.LAZY, null);
const rounds = Number(ARGV[1]);
let before = 0;
for (let i = 0; i < rounds; i++) {
    if (i === rounds / 2)
        before = resident();
    callAll(store, i);
    if (i % COLLECTED === 0)
        System.gc();
}
print(resident() - before);
store.close(null);
