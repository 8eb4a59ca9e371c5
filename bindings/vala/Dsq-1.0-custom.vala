// Dsq-1.0-custom.vala - what vapigen adds to the Vala binding: what a dict has, in Vala's words
// SPDX-License-Identifier: LGPL-2.1-or-later
namespace Dsq {
    public delegate GLib.Variant? BindMapping (GLib.Variant value);
    [CCode (has_typedef = false)]
    public delegate void Work (Dsq.Transaction inside) throws GLib.Error;
    [CCode (has_typedef = false)]
    public delegate GLib.Variant? Change (GLib.Variant? value) throws GLib.Error;
    [CCode (has_typedef = false)]
    public delegate GLib.Variant Compute () throws GLib.Error;
    public class Store : GLib.Object, GLib.AsyncInitable, GLib.Initable {
        [CCode (cname = "dsq_vala_contains")]
        public bool contains (string key) throws GLib.Error {
            var found = has_key (key);
            return found;
        }
        [CCode (cname = "dsq_vala_add")]
        public bool add (string key, GLib.Variant value) throws GLib.Error {
            var answer = compare_and_set (key, null, value);
            return answer == Dsq.Answer.YES;
        }
        [CCode (cname = "dsq_vala_delete_many")]
        public int delete_many (string[] keys) throws GLib.Error {
            var count = 0;
            transact ((inside) => {
                count = 0;
                foreach (unowned string key in keys) {
                    var answer = inside.remove (key);
                    if (answer == Dsq.Answer.YES)
                        count++;
                }
            });
            return count;
        }
        [CCode (cname = "dsq_vala_delete_prefix")]
        public int delete_prefix (string prefix) throws GLib.Error {
            var keys = list_keys (prefix, null, uint.MAX);
            var count = delete_many (keys);
            return count;
        }
        // What the key holds, which is set to the value where it is missing.
        [CCode (cname = "dsq_vala_setdefault")]
        public GLib.Variant setdefault (string key, GLib.Variant value) throws GLib.Error {
            while (true) {
                var found = get (key);
                if (found != null)
                    return found;
                var is_set = add (key, value);
                if (is_set)
                    return value;
            }
        }
        // The newest key, removed; null where there is none.
        [CCode (cname = "dsq_vala_popitem")]
        public string? popitem (out GLib.Variant? value) throws GLib.Error {
            while (true) {
                value = null;
                var page = walk (Dsq.WalkOrder.REVERSE).next_many (1);
                if (page.n_children () == 0)
                    return null;
                var key = page.get_child_value (0).get_child_value (0).get_string ();
                var found = get (key);
                if (found == null) // somebody was faster
                    continue;
                var answer = compare_and_set (key, found, null);
                if (answer == Dsq.Answer.YES) {
                    value = found;
                    return key;
                }
            }
        }
        // What the work throws is thrown, and nothing is written. Where somebody has changed what
        // it has read it is called again, so often at most.
        [CCode (cname = "dsq_vala_transact")]
        public void transact (Dsq.Work work, uint retries = 10) throws GLib.Error {
            while (true) {
                var inside = begin ();
                try {
                    work (inside);
                    inside.commit ();
                    return;
                } catch (GLib.Error error) {
                    inside.rollback ();
                    var is_conflict = error.matches (Dsq.Error.quark (), Dsq.Error.CONFLICT);
                    if (!is_conflict)
                        throw error;
                    if (retries == 0)
                        throw error;
                    retries--;
                }
            }
        }
        // Sets the key to what the change gives of what it holds, or removes it for null; it
        // expires when it would have.
        [CCode (cname = "dsq_vala_edit")]
        public GLib.Variant? edit (string key, Dsq.Change change, uint retries = 10) throws GLib.Error {
            GLib.Variant? changed = null;
            transact ((inside) => {
                var found = inside.get (key);
                var left = inside.get_expiry (key);
                if (found == null)
                    left = Dsq.NEVER;
                var made = change (found);
                if (made == null)
                    inside.remove (key);
                else
                    inside.set_expiring (key, made, left);
                changed = made;
            }, retries);
            return changed;
        }
        // What the key holds; where it is missing what is computed, kept so long.
        [CCode (cname = "dsq_vala_memoize")]
        public GLib.Variant memoize (string key, Dsq.Compute compute,
                                     int64 milliseconds = Dsq.NEVER) throws GLib.Error {
            var found = get (key);
            if (found != null)
                return found;
            var computed = compute ();
            set_expiring (key, computed, milliseconds);
            return computed;
        }
        [CCode (cname = "dsq_vala_iterator")]
        public Dsq.Cursor iterator () {
            return walk (Dsq.WalkOrder.FORWARD);
        }
    }
    public class Cursor : GLib.Object {
        [CCode (cname = "dsq_vala_next_value")]
        public string? next_value () throws GLib.Error {
            var page = next_many (1);
            if (page.n_children () == 0)
                return null;
            return page.get_child_value (0).get_child_value (0).get_string ();
        }
    }
}
