export type NoteCode =
  | 'SOCKET_SKIPPED'
  | 'SPECIAL_SKIPPED'
  | 'CHANGED_WHILE_READ'
  | 'HARDLINK_OUTSIDE'
  | 'MTIME_CLAMPED'
  | 'MTIME_NOT_KEPT'
  | 'MOUNT_POINT_SKIPPED'
  | 'PATH_SKIPPED'
  | 'LINK_SKIPPED'
  | 'ATTRIBUTES_NOT_KEPT'
  | 'ATTRIBUTES_NOT_CHECKED'
  | 'MODE_CUT'
  | 'OWNER_NOT_KEPT'
  | 'ROOT_IMPLIED'
  | 'NOTES_CUT';

/** What a snapshot could not hold, or holds differently. `params.path` is escaped and relative to the archive's root. */
export interface Note {
  code: NoteCode;
  params: Record<string, string | number>;
}

export const maxNotes = 1000;

/** Bounded list of notes: the first `maxNotes` in full, the rest counted. */
export interface NoteTaker {
  add(code: NoteCode, params: Note['params']): void;
}

export class NoteList implements NoteTaker {
  #notes: Note[] = [];
  #cut = 0;

  add(code: NoteCode, params: Note['params']): void {
    if (this.#notes.length < maxNotes) this.#notes.push({ code, params });
    else this.#cut++;
  }

  addAll(notes: readonly Note[]): void {
    for (const note of notes) {
      if (note.code === 'NOTES_CUT') this.#cut += Number(note.params['count']);
      else this.add(note.code, note.params);
    }
  }

  clear(): void {
    this.#notes = [];
    this.#cut = 0;
  }

  list(): Note[] {
    return this.#cut === 0 ? [...this.#notes] : [...this.#notes, { code: 'NOTES_CUT', params: { count: this.#cut } }];
  }
}
