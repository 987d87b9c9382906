// Preloaded (--import) into the project's own processes: keeps what Node makes of TypeScript. Without it every start strips the
// types again, which takes 40 MB that stay and most of a second.
import module from 'node:module';
import path from 'node:path';

module.enableCompileCache(path.join(import.meta.dirname, '..', 'node_modules', '.cache', 'tiny-forge', 'compiled'));
