"""What the commands do: each module takes plain values and raises errors that a user can mend."""
