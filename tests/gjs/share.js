// share.js - writes one value of each type, and reads those that other languages wrote
// SPDX-License-Identifier: LGPL-2.1-or-later
// share.js FILE LANGUAGE...
imports.gi.versions.Dsq = '1.0';
const {Dsq, Gio, GLib} = imports.gi;

Gio._promisify(Dsq.Store, 'open_async', 'open_finish');
for (const name of ['get', 'set', 'get_string', 'set_string', 'close'])
    Gio._promisify(Dsq.Store.prototype, `${name}_async`, `${name}_finish`);

async function write(store) {
    await store.set_string_async('gjs string', 'ключ', null);
    const bytes = new GLib.Bytes([0, 1, 255]);
    await store.set_async('gjs bytes', GLib.Variant.new_from_bytes(new GLib.VariantType('ay'), bytes, true), null);
    await store.set_async('gjs int', new GLib.Variant('x', -7), null);
    await store.set_async('gjs double', new GLib.Variant('d', 1.5), null);
    await store.set_async('gjs boolean', new GLib.Variant('b', true), null);
    await store.set_async('gjs list', new GLib.Variant('as', ['a', 'b']), null);
}

async function read(store, language) {
    const found = [
        await store.get_string_async(`${language} string`, null),
        (await store.get_async(`${language} bytes`, null)).get_data_as_bytes().toArray().join(' '),
        (await store.get_async(`${language} int`, null)).unpack(),
        (await store.get_async(`${language} double`, null)).unpack(),
        (await store.get_async(`${language} boolean`, null)).unpack(),
    ];
    // Python's lists are pickles, which no other language reads
    if (language !== 'python')
        found.push((await store.get_async(`${language} list`, null)).deepUnpack().join(' '));
    print(language, found.join(', '));
}

async function main(path, languages) {
    const store = await Dsq.Store.open_async(path, Dsq.PersistMode.LAZY, null);
    for (const language of languages)
        await read(store, language);
    await write(store);
    await store.close_async(null);
}

const loop = new GLib.MainLoop(null, false);
main(ARGV[0], ARGV.slice(1)).catch(error => printerr(error)).finally(() => loop.quit());
loop.run();
