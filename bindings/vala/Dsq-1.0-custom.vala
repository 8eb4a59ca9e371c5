// Dsq-1.0-custom.vala - what vapigen adds to the Vala binding: `key in store`, and foreach over keys
// SPDX-License-Identifier: LGPL-2.1-or-later
namespace Dsq {
    public delegate GLib.Variant? BindMapping (GLib.Variant value);
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
            var inside = begin ();
            var count = 0;
            foreach (unowned string key in keys) {
                var answer = inside.remove (key);
                if (answer == Dsq.Answer.YES)
                    count++;
            }
            inside.commit ();
            return count;
        }
        [CCode (cname = "dsq_vala_delete_prefix")]
        public int delete_prefix (string prefix) throws GLib.Error {
            var keys = list_keys (prefix, null, uint.MAX);
            var count = delete_many (keys);
            return count;
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
