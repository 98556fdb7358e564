"""Who is there in a live call: voices and faces tied to people, names heard, questions asked."""
