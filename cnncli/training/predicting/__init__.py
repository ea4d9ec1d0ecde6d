"""What a network says of single images: in words, as a table, as pictures."""
