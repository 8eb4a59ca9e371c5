// share.js - writes one value of each type, and reads those that other languages wrote
// SPDX-License-Identifier: LGPL-2.1-or-later
// share.js FILE LANGUAGE..., with the password in SHARE_PASSWORD if there is one
imports.gi.versions.Dsq = '1.0';
const {Dsq, GLib} = imports.gi;

const VALUES = {
    string: 'ключ', empty: '', bytes: new Uint8Array([0, 1, 255]), int: -7,
    most: 9223372036854775807n, least: -9223372036854775808n, double: 1.5, infinity: Infinity,
    boolean: true, nothing: null, list: new GLib.Variant('as', ['a', 'b']),
};

const store = new Dsq.Store({path: ARGV[0], password: GLib.getenv('SHARE_PASSWORD')});
store.init(null);
for (const language of ARGV.slice(1)) {
    for (const kind of Object.keys(VALUES)) {
        const key = `${language} ${kind}`;
        print(`${key}: ${store.get(key, null).print(false)}`);
    }
}
for (const [kind, value] of Object.entries(VALUES))
    store.set_value(`gjs ${kind}`, value);
store.close(null);
