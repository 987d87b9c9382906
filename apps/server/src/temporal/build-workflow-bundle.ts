import { prebuiltBundle, writeBundle } from './workflow-bundle.ts';

await writeBundle(prebuiltBundle());
