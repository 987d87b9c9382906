import { fakeSourceType, faultySourceType, sourceTypeContract } from './index.ts';

const options = {
  source: { type: 'fake', image: 'app:1' },
  bad: [{ type: 'fake' }, { type: 'fake', image: 1 }, { type: 'fake', image: 'app:1', pull: 'sometimes' }],
};

sourceTypeContract(fakeSourceType(), options);
sourceTypeContract(faultySourceType(fakeSourceType(), { at: Infinity, error: () => new Error('never') }), options);
