"""What a server keeps and reads: images, labels, submissions, screenings, uploads, backups."""
