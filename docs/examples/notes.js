// notes.js - keeps a note, and lists all of them: gjs -m notes.js TEXT
// SPDX-License-Identifier: LGPL-2.1-or-later
import Dsq from 'gi://Dsq?version=1.0';
import GLib from 'gi://GLib';
import System from 'system';

async function main() {
    const store = await Dsq.Store.open_async('notes.db', Dsq.PersistMode.WRITETHROUGH, null);
    const now = String(GLib.get_real_time()).padStart(20, '0');
    await store.set_string_async(`note:${now}`, System.programArgs.join(' '), null);
    const keys = await store.list_keys_async('note:', null, 100, null);
    const notes = (await store.get_many_async(keys, null)).recursiveUnpack();
    Object.values(notes).forEach(note => print(note));
    await store.close_async(null);
}

const loop = new GLib.MainLoop(null, false);
let status = 0;
main().catch(error => {
    printerr(error.message);
    status = 1;
}).finally(() => loop.quit());
loop.run();
System.exit(status);
