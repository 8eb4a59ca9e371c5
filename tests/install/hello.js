// hello.js - a gjs program on the installed typelib
// SPDX-License-Identifier: LGPL-2.1-or-later
imports.gi.versions.Dsq = '1.0';
const {Dsq} = imports.gi;

let store = Dsq.Store.open(ARGV[0], Dsq.PersistMode.WRITETHROUGH, null);
store.set_string('js', 'from JavaScript', null);
store.close(null);

store = Dsq.Store.open(ARGV[0], Dsq.PersistMode.WRITETHROUGH, null);
print(store.get_value('js'));
store.close(null);
