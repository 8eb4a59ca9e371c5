// test-bind.js - properties of objects of gjs that are what keys hold
// SPDX-License-Identifier: LGPL-2.1-or-later
imports.gi.versions.Dsq = '1.0';
const {Dsq, Gio, GLib, GObject} = imports.gi;

const folder = GLib.Dir.make_tmp('dsq-gjs-XXXXXX');
const path = GLib.build_filenamev([folder, 'store.db']);
const context = GLib.MainContext.default();

const Settings = GObject.registerClass({
    Properties: {
        'dark': GObject.ParamSpec.boolean('dark', '', '', GObject.ParamFlags.READWRITE, false),
        'volume': GObject.ParamSpec.double('volume', '', '', GObject.ParamFlags.READWRITE, 0, 100, 0),
        'name': GObject.ParamSpec.string('name', '', '', GObject.ParamFlags.READWRITE, null),
    },
}, class Settings extends GObject.Object {});

function assert(condition, what) {
    if (!condition)
        throw new Error(`not so: ${what}`);
}

function wait(condition) {
    while (!condition())
        context.iteration(true);
}

const store = Dsq.Store.open(path, Dsq.PersistMode.WRITETHROUGH, null);
const settings = new Settings();

settings.name = 'nobody';
store.bind('name', settings, 'name', Dsq.BindFlags.DEFAULT);
store.bind('dark', settings, 'dark', Dsq.BindFlags.INVERT_BOOLEAN);
assert(settings.name === 'nobody', 'what is missing changes nothing');
settings.name = 'Алиса';
settings.dark = true;
wait(() => store.get_string('name', null) === 'Алиса');
wait(() => store.get_value('dark') === false);

// half of it is stored; a whole number is an integer there
const doubled = value => new GLib.Variant('d', value.unpack() * 2);
const halved = value => new GLib.Variant('d', value.unpack() / 2);
store.set_value('volume', 20);
store.bind_with_mapping('volume', settings, 'volume', Dsq.BindFlags.DEFAULT, doubled, halved);
assert(settings.volume === 40, 'mapped on its way');
settings.volume = 50;
wait(() => store.get_value('volume') === 25);

let fault = null;
store.connect('bind-failed', (_, object, property, error) => {
    fault = `${object === settings} ${property} ${error.matches(Dsq.Error, Dsq.Error.WRONG_TYPE)}`;
});
store.set_value('name', 5);
wait(() => fault !== null);
assert(fault === 'true name true', fault);

let refused = null;
try {
    store.bind('name', settings, 'nobody', Dsq.BindFlags.DEFAULT);
} catch (error) {
    refused = error;
}
assert(refused?.matches(Dsq.Error, Dsq.Error.INVALID_ARGUMENT), 'there is no such property');

// another process
Gio.Subprocess.new(['gjs', '-c', `
    imports.gi.versions.Dsq = '1.0';
    const {Dsq} = imports.gi;
    const store = Dsq.Store.open('${path}', Dsq.PersistMode.WRITETHROUGH, null);
    store.set_value('name', 'of another');
    store.set_value('volume', 30.5);
    store.close(null);
`], Gio.SubprocessFlags.NONE);
wait(() => settings.name === 'of another' && settings.volume === 61);

Dsq.Store.unbind(settings, 'name');
settings.name = 'apart';
settings.volume = 10;
wait(() => store.get_value('volume') === 5);
assert(store.get_value('name') === 'of another', 'it has ended');
store.close(null);

for (const suffix of ['', '-wal', '-shm', '-facts'])
    GLib.unlink(`${path}${suffix}`);
GLib.rmdir(folder);
