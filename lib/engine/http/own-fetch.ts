// Node's own fetch and undici share one global dispatcher, which the first of the two to be loaded sets. Node loads its
// own at the first use of what belongs to it, and undici comes with the engine: without this the app's fetch would be
// another than without the plugin.
Reflect.get(globalThis, 'Response')
