// What differs when two people change the same thing at the same time.

// Difference is a field that one of them, or both, changed. Undefined is a side that did not change it.
export interface Difference { name: string; before: string; theirs?: string; mine?: string }

interface Props {
  what: string; // was changed
  also?: string; // what happened to it besides
  differences: Difference[];
  busy: boolean;
  onKeep: () => void;
  onTake: () => void;
}

export function ConflictTable({ what, also, differences, busy, onKeep, onTake }: Props) {
  const unchanged = <span class="quiet">unchanged</span>;
  return (
    <section aria-label="Conflict">
      <p class="note" role="alert">Somebody else changed {what} after you opened it. Nothing of yours is saved yet.</p>
      {also && <p>{also}</p>}
      <div class="scroll" tabIndex={0} role="region" aria-label="What differs">
        <table>
          <thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">Theirs</th><th scope="col">Yours</th></tr></thead>
          <tbody>
            {differences.map((d) => (
              <tr key={d.name}>
                <th scope="row">{d.name}</th>
                <td class="name">{d.before}</td>
                <td class="name">{d.theirs ?? unchanged}</td>
                <td class="name">{d.mine ?? unchanged}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet">Keeping yours writes the fields that you changed; the others stay as they left them.</p>
      <div class="pills">
        <button type="button" class="primary" disabled={busy} onClick={onKeep}>Keep mine</button>
        <button type="button" disabled={busy} onClick={onTake}>Take theirs</button>
      </div>
    </section>
  );
}
