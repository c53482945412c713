import { send } from "../api";
import { number } from "../format";
import { Confirm } from "../parts/dialog";
import { say } from "../parts/toast";
import { used, type Key } from "./key";

interface Props {
  of: Key;
  onRevoked: () => void;
  onClose: () => void;
}

// Revoke asks before it ends a key.
export function Revoke({ of, onRevoked, onClose }: Props) {
  const revoke = async () => {
    const { revoked } = await send("delete", "/auth/api-keys/{id}", { places: { id: of.id } });
    say(revoked > 1 ? `${of.name} is revoked, with ${number(revoked - 1)} that were made with it.` : `${of.name} is revoked.`);
    onRevoked();
  };
  return (
    <Confirm title={`Revoke ${of.name}?`} action="Revoke" onConfirm={revoke} onClose={onClose}>
      <p>What uses this key is refused within 5 seconds, and so are keys that were made with it. This cannot be undone.</p>
      <p class="quiet">Last used: {used(of)}.</p>
    </Confirm>
  );
}
